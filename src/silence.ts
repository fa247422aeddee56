/** Silence: a networked feed that says nothing for too long is an error, never just quiet. */
import { asyncScheduler, Observable, type Subscriber, type Subscription } from 'rxjs';
import { KvError } from './errors.js';
import { Passing } from './passing.js';

/**
 * Errors `unavailable` when the source says nothing for `silence` ms, counted anew from each message.
 *
 * @param now  ms of a monotonic clock
 */
export function heardWithin<T>(silence: number, now: () => number = () => performance.now()): (source: Observable<T>) => Observable<T> {
  return source =>
    new Observable<T>(subscriber => {
      const listening = new Listening<T>(silence, now, subscriber);
      subscriber.add(() => listening.end());
      return source.subscribe(listening);
    });
}

/** A message only leaves the time at which it came: a timer for each would cost more than the message. */
class Listening<T> extends Passing<T> {
  private readonly silence: number;
  private readonly now: () => number;
  private heardAt: number;
  private pending: Subscription;

  constructor(silence: number, now: () => number, subscriber: Subscriber<T>) {
    super(subscriber);
    this.silence = silence;
    this.now = now;
    this.heardAt = now();
    this.pending = this.wait();
  }

  next(message: T): void {
    this.heardAt = this.now();
    this.subscriber.next(message);
  }

  end(): void {
    this.pending.unsubscribe();
  }

  private left(): number {
    return this.heardAt + this.silence - this.now();
  }

  private wait(): Subscription {
    return asyncScheduler.schedule(() => this.look(), this.left());
  }

  /**
   * One poll phase passes before the verdict: after a blocked event loop the timer is due before the sockets
   * have been read, and a busy process is no dead server.
   */
  private look(): void {
    this.pending = this.left() > 0 ? this.wait() : asyncScheduler.schedule(() => this.decide());
  }

  private decide(): void {
    if (this.left() > 0) this.pending = this.wait();
    else this.subscriber.error(new KvError('unavailable', `nothing heard for ${this.silence} ms`));
  }
}
