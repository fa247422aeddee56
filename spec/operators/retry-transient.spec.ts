import { concat, Observable, of, Subject, take, takeUntil, throwError, timer } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, test, vi } from 'vitest';
import { KvError } from '../../src/errors.js';
import { type Retry, type RetryOptions, retryTransient } from '../../src/operators/retry-transient.js';

const cut = new KvError('unavailable', 'the link is cut');
const denied = new KvError('denied', 'the password is wrong');
const plain: RetryOptions = { jitter: 'none', first: 2, factor: 2, most: 8 };

function marbles(): TestScheduler {
  return new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
}

/** The delays of the first `count` retries of a source that always fails. */
function delaysOf(source: Observable<unknown>, options: RetryOptions, count: number): number[] {
  const delays: number[] = [];
  const enough = new Subject<void>();
  marbles().run(() => {
    const onRetry = ({ delay }: Retry): void => {
      delays.push(delay);
      if (delays.length === count) enough.next();
    };
    source.pipe(retryTransient({ ...options, onRetry }), takeUntil(enough)).subscribe();
  });
  return delays;
}

describe('retryTransient', () => {
  test('subscribes again after delays that grow up to the most', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('a#', undefined, cut);
      const expected = '   a--a----a--------a--------a';
      const subscriptions = ['^!', '---^!', '--------^!', '-----------------^!', '--------------------------^!'];

      expectObservable(source.pipe(retryTransient(plain)), '^--------------------------!').toBe(expected);
      expectSubscriptions(source.subscriptions).toBe(subscriptions);
    });
  });

  test('every other error goes on at once, as it is', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const refused = cold('a-#', undefined, denied);
      const foreign = cold('a-#', undefined, new Error('transient, somebody claims'));

      expectObservable(refused.pipe(retryTransient(plain)), '^--------!').toBe('a-#', undefined, denied);
      expectObservable(foreign.pipe(retryTransient(plain)), '^--------!').toBe('a-#', undefined, new Error('transient, somebody claims'));
      expectSubscriptions(refused.subscriptions).toBe('^-!');
    });
  });

  test('an error that only looks transient is not', () => {
    marbles().run(({ cold, expectObservable }) => {
      expectObservable(cold('#', undefined, { code: 'unavailable', transient: true }).pipe(retryTransient(plain)), '^--------!').toBe(
        '#',
        {},
        {
          code: 'unavailable',
          transient: true,
        },
      );
    });
  });

  test('a KvError of another copy of the package is known by its brand', () => {
    const foreign = Object.assign(new Error('cut'), { code: 'unavailable', transient: true, [Symbol.for('rxkv.KvError')]: true });

    marbles().run(({ cold, expectObservable }) => {
      expectObservable(cold('#', undefined, foreign).pipe(retryTransient(plain)), '^-!').toBe('--');
    });
  });

  test('completion goes on', () => {
    marbles().run(({ cold, expectObservable }) => {
      expectObservable(cold('a-|').pipe(retryTransient(plain))).toBe('a-|');
    });
  });

  test('unsubscribing ends the source, or the wait for the next one', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const live = cold('a----');
      const failing = cold('#', undefined, cut);

      expectObservable(live.pipe(retryTransient(plain)), '^--!').toBe('a--');
      expectObservable(failing.pipe(retryTransient(plain)), '^!').toBe('-');
      expectSubscriptions(live.subscriptions).toBe('^--!');
      expectSubscriptions(failing.subscriptions).toBe('(^!)');
    });
  });

  test('leaves no timer behind, neither of a delay nor of a healthy spell', () => {
    vi.useFakeTimers();
    try {
      const source = new Subject<string>();
      const live = source.pipe(retryTransient()).subscribe();
      source.next('alive');
      expect(vi.getTimerCount()).toBe(1);
      live.unsubscribe();
      expect(vi.getTimerCount()).toBe(0);

      const waiting = throwError(() => cut)
        .pipe(retryTransient())
        .subscribe();
      expect(vi.getTimerCount()).toBe(1);
      waiting.unsubscribe();
      expect(vi.getTimerCount()).toBe(0);

      concat(
        of('alive'),
        throwError(() => denied),
      )
        .pipe(retryTransient())
        .subscribe({ error: () => {} });
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test('unsubscribing inside next stops at once', () => {
    const seen: number[] = [];
    let subscribed = 0;
    const source = new Observable<number>(subscriber => {
      subscribed++;
      for (const value of [1, 2, 3]) subscriber.next(value);
      subscriber.error(cut);
    });

    source.pipe(retryTransient(plain), take(2)).subscribe(value => seen.push(value));

    expect([seen, subscribed]).toEqual([[1, 2], 1]);
  });

  describe('the delay', () => {
    const answersAndFails = concat(
      of('state'),
      throwError(() => cut),
    );

    test('does not fall back after a first value: every subscription begins with one', () => {
      expect(delaysOf(answersAndFails, plain, 5)).toEqual([2, 4, 8, 8, 8]);
    });

    test('falls back to the first after a healthy spell', () => {
      const delays: number[] = [];
      marbles().run(({ cold, expectObservable }) => {
        const lives = ['#', '#', 'a----#', 'a---------#', '#'];
        let turn = 0;
        const source = new Observable<string>(subscriber => cold(lives[turn++] ?? '-', undefined, cut).subscribe(subscriber));
        const options = { ...plain, healthy: 6, onRetry: ({ delay, attempt }: Retry) => void delays.push(delay, attempt) };

        // Failures at 0, 2, 6+5 (not healthy for long enough), 19+10 (healthy), 31.
        expectObservable(source.pipe(retryTransient(options)), '^ 60ms !').toBe('------a------------a');
      });

      expect(delays).toEqual([2, 1, 4, 2, 8, 3, 2, 1, 4, 2]);
    });

    test('a long silence before the first value is no healthy spell', () => {
      const silent = concat(
        timer(1000),
        throwError(() => cut),
      );

      expect(delaysOf(silent, { ...plain, healthy: 500 }, 3)).toEqual([2, 4, 8]);
    });

    test('by default grows from 500 ms by 2 up to 30 s', () => {
      expect(delaysOf(answersAndFails, { jitter: 'none' }, 8)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    });

    test('by default has full jitter, and never under 50 ms', () => {
      const draws = [0, 0.5, 0.99, 0];

      expect(delaysOf(answersAndFails, { random: () => draws.shift() ?? 0 }, 4)).toEqual([50, 500, 1980, 50]);
    });

    test('a delay that is itself under 50 ms is not drawn', () => {
      expect(delaysOf(answersAndFails, { first: 10, most: 10, random: () => 0 }, 2)).toEqual([10, 10]);
    });

    test('does not overflow however often the source fails', () => {
      expect(
        delaysOf(
          throwError(() => cut),
          { jitter: 'none', first: 1, factor: 1e300, most: 5 },
          4,
        ),
      ).toEqual([1, 5, 5, 5]);
    });

    test('a first over 30 s raises the most', () => {
      expect(delaysOf(answersAndFails, { jitter: 'none', first: 40_000 }, 2)).toEqual([40_000, 40_000]);
    });

    test('is counted for each subscription by itself', () => {
      const operator = retryTransient(plain);

      marbles().run(({ cold, expectObservable }) => {
        const source = cold('a#', undefined, cut).pipe(operator as never);
        expectObservable(source, '^------!').toBe('   a--a----');
        expectObservable(source, '--^------!').toBe(' --a--a----');
      });
    });
  });

  describe('onRetry', () => {
    test('is told the error, the attempt and the delay before it is waited for', () => {
      const retries: Retry[] = [];
      throwError(() => cut)
        .pipe(retryTransient({ ...plain, onRetry: retry => retries.push(retry) }))
        .subscribe()
        .unsubscribe();

      expect(retries).toEqual([{ error: cut, attempt: 1, delay: 2 }]);
    });

    test('ends the stream with what it throws', () => {
      const mine = new Error('enough');
      let seen: unknown;
      throwError(() => cut)
        .pipe(
          retryTransient({
            onRetry: () => {
              throw mine;
            },
          }),
        )
        .subscribe({
          error: (error: unknown) => {
            seen = error;
          },
        });

      expect(seen).toBe(mine);
    });
  });

  test.each([
    [{ frist: 1 }, 'unknown option "frist"'],
    [{ first: 0 }, 'option first of retryTransient() is a number from 1'],
    [{ first: Number.NaN }, 'option first'],
    [{ first: '1' }, 'option first'],
    [{ first: 10, most: 9 }, 'option most of retryTransient() is a number from 10'],
    [{ most: Number.POSITIVE_INFINITY }, 'option most'],
    [{ factor: 0.5 }, 'option factor of retryTransient() is a finite number from 1 on'],
    [{ factor: Number.POSITIVE_INFINITY }, 'option factor'],
    [{ healthy: -1 }, 'option healthy'],
    [{ jitter: 'some' }, 'option jitter of retryTransient() is "full" or "none"'],
    [{ random: 0.5 }, 'option random of retryTransient() is a function'],
    [{ onRetry: true }, 'option onRetry of retryTransient() is a function'],
  ])('refuses %j when it is made', (options, message) => {
    const refused = { code: 'invalid', message: expect.stringContaining(message) as string };

    expect(() => retryTransient(options as never)).toThrow(expect.objectContaining(refused));
  });
});
