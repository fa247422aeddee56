import { EMPTY, NEVER, Observable, of, timer } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { KvError } from '../../src/errors.js';
import type { Leadership, Lock } from '../../src/interface.js';
import { retryTransient } from '../../src/operators/retry-transient.js';
import { whileLeading } from '../../src/operators/while-leading.js';
import { fakeLock } from './fake-lock.js';

const lost = new KvError('lock-lost', 'the leadership is lost');
const F: Leadership = { leading: false };

function leading(lock: Lock = fakeLock()): Leadership {
  return { leading: true, fence: lock.fence, lock };
}

function marbles(): TestScheduler {
  return new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
}

describe('whileLeading', () => {
  test('runs the work from when this candidate leads', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const elect$ = cold('F--T------', { F, T: leading() });
      const work = cold('     a-b-c---');
      const result = '     ---a-b-c--';

      expectObservable(elect$.pipe(whileLeading(() => work)), '^---------!').toBe(result);
      expectSubscriptions(elect$.subscriptions).toBe('^---------!');
      expectSubscriptions(work.subscriptions).toBe('---^------!');
    });
  });

  test('hands over the leadership, which is known to be one', () => {
    const seen: bigint[] = [];
    of(F, leading(fakeLock(7n)))
      .pipe(
        whileLeading(leadership => {
          expectTypeOf(leadership.lock).toEqualTypeOf<Lock>();
          return of(leadership.fence);
        }),
      )
      .subscribe(fence => seen.push(fence));

    expect(seen).toEqual([7n]);
  });

  test.each([
    ['it is told that it no longer leads', 'F-T----F--', '--a-b-c---', '--^----!'],
    ['the source fails', '              F-T----#', '  --a-b-c#', '  --^----!'],
    ['it is told and the source fails', 'F-T----(F#)', '--a-b-c#', '  --^----!'],
    ['the source completes, as at close()', 'F-T----|', ' --a-b-c|', '--^----!'],
    ['it is told and the source completes', 'F-T----(F|)', '--a-b-c|', '--^----!'],
  ])('the work ends when %s', (_, told, result, subscription) => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const elect$ = cold(told.trim(), { F, T: leading() }, lost);
      const work = cold('a-b-c-d-e-f');

      expectObservable(elect$.pipe(whileLeading(() => work)), '^---------!').toBe(result.trim(), undefined, lost);
      expectSubscriptions(work.subscriptions).toBe(subscription.trim());
    });
  });

  test('the work ends when the signal aborts, before any notification', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const lock = fakeLock();
      const elect$ = cold('T------(F#)', { F, T: leading(lock) }, lost);
      const work = cold('  a-b-c-d-e-f');
      const result = '     a-b----#';
      timer(3).subscribe(() => lock.lose());

      expectObservable(elect$.pipe(whileLeading(() => work))).toBe(result, undefined, lost);
      expectSubscriptions(work.subscriptions).toBe('^--!');
    });
  });

  test('work never starts without leadership, or with one already lost', () => {
    const lock = fakeLock();
    lock.lose();
    let started = 0;
    of(F, leading(lock), F)
      .pipe(
        whileLeading(() => {
          started++;
          return NEVER;
        }),
      )
      .subscribe();

    expect(started).toBe(0);
  });

  test('on unsubscribe the work is torn down before the leadership is given up', () => {
    const order: string[] = [];
    const elect$ = new Observable<Leadership>(subscriber => {
      subscriber.next(leading());
      return () => order.push('given up');
    });
    const work = new Observable<never>(() => () => order.push('work stopped'));
    elect$
      .pipe(whileLeading(() => work))
      .subscribe()
      .unsubscribe();

    expect(order).toEqual(['work stopped', 'given up']);
  });

  test('work that completes leaves this candidate leading and the result silent', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const elect$ = cold('FT-----', { F, T: leading() });

      expectObservable(elect$.pipe(whileLeading(() => EMPTY)), '^-----!').toBe('------');
      expectSubscriptions(elect$.subscriptions).toBe('^-----!');
    });
  });

  test('work that fails gives the leadership up and errors the result', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const elect$ = cold('FT-----', { F, T: leading() });

      expectObservable(elect$.pipe(whileLeading(() => cold('a-#', undefined, 'broken')))).toBe('-a-#', undefined, 'broken');
      expectSubscriptions(elect$.subscriptions).toBe('^--!');
    });
  });

  test('with retryTransient behind it nothing runs between loss and the next election', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const lives = [cold('FT---(F#)', { F, T: leading() }, lost), cold('F-T-----', { F, T: leading(fakeLock(2n)) })];
      let turn = 0;
      const elect$ = new Observable<Leadership>(subscriber => (lives[turn++] ?? EMPTY).subscribe(subscriber));
      const work = cold('a-b-c-d-e-f');
      const result = '   -a-b-------a-b';
      const retried = elect$.pipe(
        whileLeading(() => work),
        retryTransient({ first: 4, jitter: 'none' }),
      );

      expectObservable(retried, '^-------------!').toBe(result);
      expectSubscriptions(work.subscriptions).toBe(['-^---!', '-----------^--!']);
    });
  });

  test('what is no function is refused when the operator is made', () => {
    for (const work of [undefined, null, NEVER, 5])
      expect(() => whileLeading(work as never)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });
});
