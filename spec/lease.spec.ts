import { NEVER, type Observable, type ObservableInput, of, switchMap, throwError, timer } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import { TestScheduler } from 'rxjs/testing';
import { KvError } from '../src/errors.js';
import { type Clock, keep$, Lease, systemClock } from '../src/lease.js';

/** Clocks that a test sets. */
class HandClock implements Clock {
  at = 0;
  jump = 0;
  monotonic(): number {
    return this.at;
  }
  wall(): number {
    return this.at + this.jump;
  }
}

/** Runs in virtual time, with a clock that follows it. */
interface Helpers {
  readonly clock: HandClock;
  /** That keeping fails for want of renewals at that ms. */
  readonly expectLoss: (frame: number, lease: Lease, renew: () => ObservableInput<unknown>) => void;
  /** That keeping fails at that ms with what the renewal fails with. */
  readonly expectGone: (frame: number, lease: Lease, error: KvError) => void;
}

function virtually(body: (helpers: Helpers) => void): void {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
  scheduler.run(({ expectObservable }) => {
    const clock = new HandClock();
    clock.monotonic = () => scheduler.now();
    clock.wall = () => scheduler.now() + clock.jump;
    body({
      clock,
      expectLoss: (frame, lease, renew) => {
        const lost = new KvError('session-lost', `not renewed within its ttl of ${lease.ttl} ms`);
        expectObservable(keep$({ lease, renew, clock })).toBe(`${frame}ms #`, undefined, lost);
      },
      expectGone: (frame, lease, error) => {
        expectObservable(keep$({ lease, renew: () => throwError(() => error), clock })).toBe(`${frame}ms #`, undefined, error);
      },
    });
  });
}

describe('a lease', () => {
  test('counts from when it was sent', () => {
    const clock = new HandClock();
    const lease = new Lease(1000, clock, { monotonic: -300, wall: -300 });
    expect(lease.remaining()).toBe(700);
    clock.at = 200;
    lease.renewed({ monotonic: 100, wall: 100 });
    expect(lease.remaining()).toBe(900);
  });

  test('ends by the clock that is nearer to its deadline', () => {
    const clock = new HandClock();
    const lease = new Lease(1000, clock);
    clock.jump = 600;
    expect(lease.remaining()).toBe(400);
    clock.jump = -600;
    expect(lease.remaining()).toBe(1000);
    clock.at = 100;
    expect(lease.remaining()).toBe(900);
  });

  test('that was seen to have ended is not revived by a clock that is set back', () => {
    for (const passed of [1000, 1001]) {
      const clock = new HandClock();
      const lease = new Lease(1000, clock);
      clock.jump = passed;
      expect(lease.remaining()).toBe(0);
      clock.jump = 0;
      expect(lease.remaining()).toBe(0);
    }
  });

  test('goes by the clocks of the system unless told', () => {
    vi.useFakeTimers({ now: 1_000_000 });
    try {
      const lease = new Lease(1000);
      vi.advanceTimersByTime(300);
      expect([systemClock.monotonic() - performance.now(), systemClock.wall()]).toEqual([0, 1_000_300]);
      expect(lease.remaining()).toBe(700);
      vi.setSystemTime(1_000_900);
      expect(lease.remaining()).toBe(100);
    } finally {
      vi.useRealTimers();
    }
  });

  test('that was seen to have ended is not revived by a renewal that comes late', () => {
    const clock = new HandClock();
    const lease = new Lease(1000, clock);
    clock.at = 1000;
    expect(lease.remaining()).toBe(0);
    lease.renewed({ monotonic: 999, wall: 999 });
    clock.at = 1001;
    expect(lease.remaining()).toBe(0);
  });

  test('that ended unseen is not revived either', () => {
    const clock = new HandClock();
    const lease = new Lease(1000, clock);
    clock.at = 2000;
    lease.renewed({ monotonic: 1990, wall: 1990 });
    expect(lease.remaining()).toBe(0);
  });
});

describe('keeping a lease', () => {
  test('an unanswered renewal loses it at the deadline, not before', () => {
    virtually(({ clock, expectLoss }) => expectLoss(900, new Lease(900, clock), () => NEVER));
  });

  test('failing renewals lose it at the deadline, not before', () => {
    virtually(({ clock, expectLoss }) => expectLoss(900, new Lease(900, clock), () => throwError(() => new KvError('unavailable', 'cut'))));
  });

  test('one failed renewal is no loss', () => {
    virtually(({ clock, expectLoss }) => {
      let calls = 0;
      // The second renewal fails, the third comes soon after; from the fourth on nothing is answered.
      const renew = (): Observable<unknown> => {
        calls++;
        if (calls === 2) return throwError(() => new KvError('unavailable', 'cut'));
        return calls > 3 ? NEVER : of(true);
      };
      // Renewals go out at 300, 600 (fails), 675 (answered): lost 900 after that.
      expectLoss(675 + 900, new Lease(900, clock), renew);
    });
  });

  test('counts from when the renewal was sent, not from its answer', () => {
    virtually(({ clock, expectLoss }) => {
      let calls = 0;
      // Sent at 300, answered at 500.
      expectLoss(300 + 900, new Lease(900, clock), () => (++calls === 1 ? timer(200) : NEVER));
    });
  });

  test('an answer that comes after the next renewal was sent still counts, from its own sending', () => {
    virtually(({ clock, expectLoss }) => {
      let calls = 0;
      // Sent at 300 and answered at 800; those sent at 600 and later never are.
      expectLoss(300 + 900, new Lease(900, clock), () => (++calls === 1 ? timer(500) : NEVER));
    });
  });

  test('an older renewal that is answered last does not turn the deadline back', () => {
    virtually(({ clock, expectLoss }) => {
      const answers = [timer(500), timer(10)];
      // Sent at 300 and answered at 800, sent at 600 and answered at 610.
      expectLoss(600 + 900, new Lease(900, clock), () => answers.shift() ?? NEVER);
    });
  });

  test('a renewal that settles after the next one was sent leaves the time of the one after that', () => {
    const late$ = timer(400);
    const cut$ = late$.pipe(switchMap(() => throwError(() => new KvError('unavailable', 'cut'))));
    for (const [second$, loss, times] of [
      [late$, 600 + 900, [300, 600, 900, 1200]],
      [cut$, 300 + 900, [300, 600, 900]],
    ] as const) {
      const sent: number[] = [];
      virtually(({ clock, expectLoss }) => {
        const answers: Observable<unknown>[] = [of(true), second$];
        // Sent at 600 and settled at 1000; those sent at 900 and later are never answered.
        expectLoss(loss, new Lease(900, clock), () => {
          sent.push(clock.monotonic());
          return answers.shift() ?? NEVER;
        });
      });
      expect(sent).toEqual(times);
    }
  });

  test('the backend saying that it is gone ends it at once', () => {
    virtually(({ clock, expectGone }) => expectGone(300, new Lease(900, clock), new KvError('session-lost', 'gone')));
  });

  test('a jump of the wall clock ends it', () => {
    virtually(({ clock, expectLoss }) => {
      timer(100).subscribe(() => (clock.jump = 10_000));
      // The renewal at 300 finds the deadline passed.
      expectLoss(300, new Lease(900, clock), () => of(true));
    });
  });

  test('unsubscribing stops the renewals', () => {
    let calls = 0;
    const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
    scheduler.run(() => {
      const clock: Clock = { monotonic: () => scheduler.now(), wall: () => scheduler.now() };
      const keeping = keep$({ lease: new Lease(900, clock), renew: () => of(++calls), clock }).subscribe();
      timer(1000).subscribe(() => keeping.unsubscribe());
      timer(5000).subscribe();
    });
    expect(calls).toBe(3);
  });
});
