/**
 * A lease: something the backend forgets unless we renew it in time.
 *
 * The deadline counts from when the last successful renewal was *sent*, since the backend cannot have started
 * counting any later than that. It is kept on two clocks and the earlier one holds: the monotonic clock stands
 * still while a machine is suspended, the wall clock jumps when it is set.
 */
import { defer, merge, Observable, type ObservableInput, type Subscription, switchMap, throwError } from 'rxjs';
import { after$ } from './delay.js';
import { KvError } from './errors.js';

/** Two clocks in ms; {@link systemClock} by default. */
export interface Clock {
  monotonic(): number;
  wall(): number;
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
};

export interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

export function momentOf(clock: Clock): Moment {
  return { monotonic: clock.monotonic(), wall: clock.wall() };
}

/** A deadline of `ttl` ms that renewals push on. Once it was seen to have passed, no renewal revives it. */
export class Lease {
  readonly ttl: number;
  private readonly clock: Clock;
  private deadline: Moment;
  private lost = false;

  /** @param sent when the request that was granted was sent; now by default */
  constructor(ttl: number, clock: Clock = systemClock, sent: Moment = momentOf(clock)) {
    this.ttl = ttl;
    this.clock = clock;
    this.deadline = this.from(sent);
  }

  /** ms until the deadline, by the clock that is nearer to it; 0 once it has passed, for good. */
  remaining(): number {
    if (this.lost) return 0;
    const left = Math.min(this.deadline.monotonic - this.clock.monotonic(), this.deadline.wall - this.clock.wall());
    if (left > 0) return left;
    this.lost = true;
    return 0;
  }

  /** Counts the ttl anew from when the successful renewal was sent, unless a later one was answered before it. */
  renewed(sent: Moment): void {
    const deadline = this.from(sent);
    if (this.remaining() > 0 && deadline.monotonic > this.deadline.monotonic) this.deadline = deadline;
  }

  private from(sent: Moment): Moment {
    return { monotonic: sent.monotonic + this.ttl, wall: sent.wall + this.ttl };
  }
}

export interface KeepOptions {
  readonly lease: Lease;
  /** One renewal, done when it completes. Its error `session-lost` ends the lease; any other is tried again. */
  readonly renew: () => ObservableInput<unknown>;
  readonly clock?: Clock;
  /** ms from one renewal to the next, and to another where one is unanswered; a third of the ttl */
  readonly every?: number;
}

/**
 * Renews a lease while subscribed. Emits nothing, never completes; errors `session-lost` at the deadline, or as
 * soon as the backend says that it is gone. One failed renewal is not a loss while the deadline stands.
 *
 * @example
 * keep$({ lease, renew: () => client.renewSession(id) }).subscribe({ error: lost });
 */
export function keep$({ lease, renew, clock = systemClock, every = lease.ttl / 3 }: KeepOptions): Observable<never> {
  const renewals$ = new Observable<never>(subscriber => {
    let attempts = 0;
    let due: Subscription | undefined;
    const next = (delay: number): void => {
      due?.unsubscribe();
      due = after$(delay).subscribe(attempt);
      subscriber.add(due);
    };
    const attempt = (): void => {
      // After a pause, or a jump of the wall clock, this timer can be due before that of the deadline.
      if (lease.remaining() <= 0) {
        subscriber.error(expired(lease));
        return;
      }
      const number = ++attempts;
      const sent = momentOf(clock);
      // While this one is unanswered another is sent; whichever is answered first counts, from its own sending.
      next(every);
      subscriber.add(
        defer(renew).subscribe({
          error: (error: unknown) => {
            if (KvError.is(error) && error.code === 'session-lost') subscriber.error(error);
            // Several more tries fit before the deadline.
            else if (number === attempts) next(every / 4);
          },
          complete: () => {
            lease.renewed(sent);
            if (number === attempts) next(Math.max(0, every - (clock.monotonic() - sent.monotonic)));
          },
        }),
      );
    };
    next(every);
  });
  return merge(deadline$(lease), renewals$);
}

function deadline$(lease: Lease): Observable<never> {
  return defer(() => {
    const left = lease.remaining();
    if (left <= 0) return throwError(() => expired(lease));
    // A timer can be early by a fraction of a ms.
    return after$(Math.ceil(left)).pipe(switchMap(() => deadline$(lease)));
  });
}

function expired(lease: Lease): KvError {
  return new KvError('session-lost', `not renewed within its ttl of ${lease.ttl} ms`);
}
