import { fc, test } from '@fast-check/vitest';
import { concat, ignoreElements, NEVER, type Observable, throwError, timer } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect } from 'vitest';
import { KvError } from '../src/errors.js';
import { type Clock, keep$, Lease } from '../src/lease.js';

/** What becomes of one renewal: granted, failed or told gone after `delay` ms, or never answered. */
interface Answer {
  readonly is: 'granted' | 'failed' | 'gone' | 'lost on the way';
  readonly delay: number;
}

interface Jump {
  readonly at: number;
  readonly by: number;
}

const delay = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2500 }));
const answer: fc.Arbitrary<Answer> = fc.record({
  is: fc.oneof(
    { weight: 5, arbitrary: fc.constant<Answer['is']>('granted') },
    { weight: 4, arbitrary: fc.constant<Answer['is']>('failed') },
    { weight: 3, arbitrary: fc.constant<Answer['is']>('lost on the way') },
    { weight: 1, arbitrary: fc.constant<Answer['is']>('gone') },
  ),
  delay,
});
const answers = fc.array(answer, { maxLength: 20, size: 'max' });
/** A third of it, and a quarter of that, are whole ms, as the frames of virtual time are. */
const ttl = fc.integer({ min: 3, max: 160 }).map(n => n * 12);
/** The wall clock is set on. */
const jump = fc.option(fc.record({ at: fc.integer({ min: 1, max: 4000 }), by: fc.integer({ min: 1, max: 3000 }) }));

interface Renewal extends Answer {
  readonly sent: number;
}

interface Kept {
  readonly renewals: readonly Renewal[];
  /** When the holder was told, and of what. */
  readonly told: number;
  readonly error: KvError;
  /** What the lease said at each ms on which something was sent. */
  readonly remained: readonly (readonly [at: number, ms: number])[];
}

/** Keeps a lease in virtual time until it is lost; renewals beyond the list are never answered. */
function keptWith(ms: number, list: readonly Answer[], set: Jump | null = null): Kept {
  const renewals: Renewal[] = [];
  const remained: [number, number][] = [];
  let end: Pick<Kept, 'told' | 'error'> | undefined;
  const scheduler = new TestScheduler(() => {});
  scheduler.run(() => {
    const wall = (): number => scheduler.now() + (set !== null && scheduler.now() >= set.at ? set.by : 0);
    const clock: Clock = { monotonic: () => scheduler.now(), wall };
    const lease = new Lease(ms, clock);
    const renew = (): Observable<unknown> => {
      const next = list[renewals.length] ?? { is: 'lost on the way', delay: 0 };
      renewals.push({ ...next, sent: scheduler.now() });
      remained.push([scheduler.now(), lease.remaining()]);
      const after$ = timer(next.delay).pipe(ignoreElements());
      if (next.is === 'granted') return after$;
      if (next.is === 'lost on the way') return NEVER;
      const error = next.is === 'gone' ? new KvError('session-lost', 'gone') : new KvError('unavailable', 'cut');
      return concat(
        after$,
        throwError(() => error),
      );
    };
    keep$({ lease, renew, clock }).subscribe({ error: (error: KvError) => (end = { told: scheduler.now(), error }) });
  });
  if (end === undefined) throw new Error('the lease was never lost');
  return { renewals, remained, ...end };
}

/** When a lease ends that nobody says is gone: its ttl after the last renewal sent that was granted before the end. */
function deadlineOf(ms: number, renewals: readonly Renewal[], until = Infinity): number {
  let deadline = ms;
  const granted = renewals.filter(({ is }) => is === 'granted').map(one => ({ ...one, answered: one.sent + one.delay }));
  for (const { sent, answered } of granted.sort((a, b) => a.answered - b.answered)) {
    if (answered <= until && answered < deadline) deadline = Math.max(deadline, sent + ms);
  }
  return deadline;
}

describe('lease', () => {
  test.prop([ttl, answers])(
    'deadline: lost its ttl after the last granted renewal was sent, to the ms, or when told so before',
    (ms, list) => {
      const { renewals, told, error } = keptWith(ms, list);
      const gone = Math.min(...renewals.filter(({ is }) => is === 'gone').map(({ sent, delay: after }) => sent + after));
      const deadline = deadlineOf(ms, renewals, told);

      expect(error.code).toBe('session-lost');
      expect(told).toBe(Math.min(deadline, gone));
      if (gone !== deadline) expect(error.message === 'gone').toBe(gone < deadline);
    },
  );

  test.prop([ttl, answers])('remaining: what the last granted renewal gave, no more and no less', (ms, list) => {
    const { renewals, remained } = keptWith(ms, list);

    for (const [at, left] of remained) {
      // What is answered on the very ms may come before or after.
      expect(left).toBeLessThanOrEqual(Math.max(0, deadlineOf(ms, renewals, at) - at));
      expect(left).toBeGreaterThanOrEqual(deadlineOf(ms, renewals, at - 1) - at);
    }
  });

  test.prop([ttl, answers, jump])('clocks: a wall clock that is set on ends it early and never late', (ms, list, set) => {
    const { renewals, told } = keptWith(ms, list, set);

    expect(told).toBeLessThanOrEqual(deadlineOf(ms, renewals, told));
  });

  test.prop([ttl, answers])('tries: a third of the ttl apart, or a quarter of that after a failure', (ms, list) => {
    const { renewals, told } = keptWith(ms, list);
    const every = ms / 3;
    const times = [0, ...renewals.map(({ sent }) => sent), told];

    // A failure that comes right before the next try was due puts it off by that quarter.
    times.forEach((at, i) => expect(at - (times[i - 1] ?? 0)).toBeLessThanOrEqual(every + every / 4));
  });

  test.prop([ttl, fc.integer({ min: 1, max: 20 }), delay])(
    'healthy: renewals that are granted in time keep it alive',
    (ms, count, slow) => {
      const after = Math.min(slow, ms / 3 - 1);
      const { renewals, told } = keptWith(
        ms,
        Array.from({ length: count }, (): Answer => ({ is: 'granted', delay: after })),
      );

      expect(renewals.slice(0, count).map(({ sent }) => sent)).toEqual(Array.from({ length: count }, (_, i) => ((i + 1) * ms) / 3));
      expect(told).toBe((count * ms) / 3 + ms);
    },
  );
});
