/** Silence: a networked feed that says nothing for too long is an error, never just quiet. */
import { Observable, Subscription, switchMap, timer } from 'rxjs';
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
      const verdict = new Subscription();
      let pending: Subscription | undefined;
      const listen = (): void => {
        if (pending !== undefined) {
          verdict.remove(pending);
          pending.unsubscribe();
        }
        pending = timer(silence)
          .pipe(switchMap(() => timer(0)))
          .subscribe(() => subscriber.error(new KvError('unavailable', `nothing heard for ${silence} ms`)));
        verdict.add(pending);
      };
      listen();
      verdict.add(
        source.subscribe({
          next: message => {
            listen();
            subscriber.next(message);
          },
          error: (error: unknown) => subscriber.error(error),
          complete: () => subscriber.complete(),
        }),
      );
      return verdict;
    });
}
