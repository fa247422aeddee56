import { concat, EMPTY, firstValueFrom, NEVER, Observable, of, Subject, take, throwError, timer } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, test } from 'vitest';
import { KvError } from '../../src/errors.js';
import type { Lock } from '../../src/interface.js';
import { retryTransient } from '../../src/operators/retry-transient.js';
import { whileHeld } from '../../src/operators/while-held.js';
import { type FakeLock, fakeLock } from './fake-lock.js';

const lost = new KvError('lock-lost', 'the lock is lost');

function marbles(): TestScheduler {
  return new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
}

/** Emits the lock, then stays silent: lock$ while all is well. Tells when it is left, which releases. */
function holding(lock: Lock, released: () => void = () => {}): Observable<Lock> {
  return new Observable(subscriber => {
    subscriber.next(lock);
    return released;
  });
}

describe('whileHeld', () => {
  test('runs the work from when the lock is held', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const lock$ = cold<Lock>('--L------', { L: fakeLock() });
      const work = cold('         a-b-c---');
      const result = '          --a-b-c---';

      expectObservable(lock$.pipe(whileHeld(() => work)), '^--------!').toBe(result);
      expectSubscriptions(lock$.subscriptions).toBe('^--------!');
      expectSubscriptions(work.subscriptions).toBe('--^------!');
    });
  });

  test('hands the lock to the work', () => {
    const seen: bigint[] = [];
    holding(fakeLock(7n))
      .pipe(whileHeld(({ fence }) => of(fence)))
      .subscribe(fence => seen.push(fence));

    expect(seen).toEqual([7n]);
  });

  test('the work ends at an error of the source, which is passed on', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const lock$ = cold<Lock>('L----#', { L: fakeLock() }, lost);
      const work = cold('       a-b-c-d-e');
      const result = '          a-b-c#';

      expectObservable(lock$.pipe(whileHeld(() => work))).toBe(result, undefined, lost);
      expectSubscriptions(work.subscriptions).toBe('^----!');
    });
  });

  test('the work ends when the source completes, as at close(), and the result completes', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const lock$ = cold<Lock>('L----|', { L: fakeLock() });
      const work = cold('       a-b-c-d-e');
      const result = '          a-b-c|';

      expectObservable(lock$.pipe(whileHeld(() => work))).toBe(result);
      expectSubscriptions(work.subscriptions).toBe('^----!');
    });
  });

  test('the work ends when the signal aborts, before the source says anything', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const lock = fakeLock();
      const lock$ = cold<Lock>('L--------#', { L: lock }, lost);
      const work = cold('       a-b-c-d-e-f');
      const result = '          a-b------#';
      timer(3).subscribe(() => lock.lose());

      expectObservable(lock$.pipe(whileHeld(() => work))).toBe(result, undefined, lost);
      expectSubscriptions(work.subscriptions).toBe('^--!');
    });
  });

  test('a loss while the work emits ends it in the same turn', () => {
    const lock = fakeLock();
    const work = new Subject<number>();
    const seen: number[] = [];
    holding(lock)
      .pipe(whileHeld(() => work))
      .subscribe(value => {
        seen.push(value);
        lock.lose();
      });
    work.next(1);
    work.next(2);

    expect(seen).toEqual([1]);
    expect(work.observed).toBe(false);
  });

  test.each<[string, (lock: FakeLock) => void]>([
    ['aborted', lock => lock.lose()],
    ['past its deadline', lock => lock.lapse()],
  ])('work never starts on a lock that is %s when it arrives', (_, end) => {
    const lock = fakeLock();
    let started = 0;
    end(lock);
    holding(lock)
      .pipe(
        whileHeld(() => {
          started++;
          return NEVER;
        }),
      )
      .subscribe();

    expect(started).toBe(0);
  });

  test('nothing is emitted once held says no, though no timer has run yet', () => {
    const lock = fakeLock();
    const work = new Subject<number>();
    const seen: number[] = [];
    holding(lock)
      .pipe(whileHeld(() => work))
      .subscribe(value => seen.push(value));
    work.next(1);
    lock.lapse();
    work.next(2);

    expect(seen).toEqual([1]);
    expect(work.observed).toBe(false);
  });

  test('on unsubscribe the work is torn down before the lock is released', () => {
    const order: string[] = [];
    const work = new Observable<never>(() => () => order.push('work stopped'));
    holding(fakeLock(), () => order.push('released'))
      .pipe(whileHeld(() => work))
      .subscribe()
      .unsubscribe();

    expect(order).toEqual(['work stopped', 'released']);
  });

  test('the same holds when an operator behind it unsubscribes, also in the middle of a synchronous value', () => {
    const order: string[] = [];
    const work = new Observable<number>(subscriber => {
      subscriber.next(1);
      subscriber.next(2);
      return () => order.push('work stopped');
    });
    const seen: number[] = [];
    holding(fakeLock(), () => order.push('released'))
      .pipe(
        whileHeld(() => work),
        take(1),
      )
      .subscribe(value => seen.push(value));

    expect(seen).toEqual([1]);
    expect(order).toEqual(['work stopped', 'released']);
  });

  test('work that completes leaves the lock held and the result silent', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const lock$ = cold<Lock>('L-------', { L: fakeLock() });
      const result = '          (ab)----';

      expectObservable(lock$.pipe(whileHeld(() => of('a', 'b'))), '^-------!').toBe(result);
      expectSubscriptions(lock$.subscriptions).toBe('^-------!');
    });
  });

  test('work that fails releases the lock and errors the result', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const lock$ = cold<Lock>('L-------', { L: fakeLock() });
      const work = cold('       a-#', undefined, 'broken');
      const result = '          a-#';

      expectObservable(lock$.pipe(whileHeld(() => work))).toBe(result, undefined, 'broken');
      expectSubscriptions(lock$.subscriptions).toBe('^-!');
    });
  });

  test('a work function that throws is work that fails', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const lock$ = cold<Lock>('-L--', { L: fakeLock() });
      const failing = (): Observable<never> => {
        throw new Error('thrown');
      };

      expectObservable(lock$.pipe(whileHeld(failing))).toBe('-#', undefined, new Error('thrown'));
      expectSubscriptions(lock$.subscriptions).toBe('^!');
    });
  });

  test('work may be a promise or an iterable', async () => {
    const fromPromise = await firstValueFrom(holding(fakeLock()).pipe(whileHeld(() => Promise.resolve('done'))));
    const seen: string[] = [];
    holding(fakeLock())
      .pipe(whileHeld(() => ['a', 'b']))
      .subscribe(value => seen.push(value));

    expect(fromPromise).toBe('done');
    expect(seen).toEqual(['a', 'b']);
  });

  test('another lock of the source, as of a retry before it, replaces the work', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const lock$ = cold<Lock>('L---M---|', { L: fakeLock(), M: fakeLock(2n) });
      const work = cold('       a--b--c--d');
      const result = '          a--ba--b|';

      expectObservable(lock$.pipe(whileHeld(() => work))).toBe(result);
      expectSubscriptions(work.subscriptions).toBe(['^---!', '----^---!']);
    });
  });

  test('with retryTransient behind it the work ends at loss and begins anew with the next lock', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const lives = [cold<Lock>('L---#', { L: fakeLock() }, lost), cold<Lock>('--M-----', { M: fakeLock(2n) })];
      let turn = 0;
      const lock$ = new Observable<Lock>(subscriber => (lives[turn++] ?? EMPTY).subscribe(subscriber));
      const work = cold('a-b-c-d-e-f');
      const result = '   a-b-----a-b';
      const retried = lock$.pipe(
        whileHeld(() => work),
        retryTransient({ first: 2, jitter: 'none' }),
      );

      expectObservable(retried, '^----------!').toBe(result);
      expectSubscriptions(work.subscriptions).toBe(['^---!', '--------^--!']);
    });
  });

  test('leaves no listener on the signal', () => {
    const lock = fakeLock();
    const running = holding(lock)
      .pipe(whileHeld(() => NEVER))
      .subscribe();
    expect(lock.listeners()).toBe(1);
    running.unsubscribe();
    expect(lock.listeners()).toBe(0);

    holding(lock)
      .pipe(whileHeld(() => EMPTY))
      .subscribe();
    concat(
      of(lock),
      throwError(() => lost),
    )
      .pipe(whileHeld(() => NEVER))
      .subscribe({ error: () => {} });
    expect(lock.listeners()).toBe(0);
  });

  test('the source is subscribed once and its own synchronous end stops all', () => {
    const order: string[] = [];
    of(fakeLock())
      .pipe(whileHeld(() => concat(of('a'), NEVER)))
      .subscribe({ next: value => order.push(value), complete: () => order.push('complete') });

    expect(order).toEqual(['a', 'complete']);
  });

  test('what is no function is refused when the operator is made', () => {
    for (const work of [undefined, null, NEVER, 5])
      expect(() => whileHeld(work as never)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });
});
