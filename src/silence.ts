/** Silence: a networked feed that says nothing for too long is an error, never just quiet. */
import { asyncScheduler, Observable, type Subscription } from 'rxjs';
import { KvError } from './errors.js';

/**
 * Errors `unavailable` when the source says nothing for `silence` ms, counted anew from each message.
 *
 * One poll phase passes before the verdict: after a blocked event loop the timer is due before the sockets
 * have been read, and a busy process is no dead server.
 */
export function heardWithin<T>(silence: number): (source: Observable<T>) => Observable<T> {
  return source =>
    new Observable<T>(subscriber => {
      let pending: Subscription;
      const verdict = (): void => subscriber.error(new KvError('unavailable', `nothing heard for ${silence} ms`));
      const poll = (): void => {
        pending = asyncScheduler.schedule(verdict);
      };
      const listen = (): void => {
        pending = asyncScheduler.schedule(poll, silence);
      };
      listen();
      subscriber.add(() => pending.unsubscribe());
      return source.subscribe({
        next: message => {
          pending.unsubscribe();
          listen();
          subscriber.next(message);
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => subscriber.complete(),
      });
    });
}
