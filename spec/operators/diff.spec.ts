import { from, map, Observable, of, Subject } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, test } from 'vitest';
import type { Entry } from '../../src/entry.js';
import { KvError } from '../../src/errors.js';
import type { TreeChange } from '../../src/operators/change.js';
import { diff } from '../../src/operators/diff.js';
import { retryTransient } from '../../src/operators/retry-transient.js';
import { applyChanges, type Snapshot, snapshotOf } from '../../src/snapshot.js';

function entry(key: string, value = key): Entry {
  return { key, value: new TextEncoder().encode(value), revision: 1n, created: 1n, leased: false };
}

/** A snapshot whose keys are the letters given, each with the value that follows it, if a digit does. */
function state(written: string): Snapshot {
  const entries = [...written.matchAll(/([a-z])(\d?)/g)].map(([, key, value]) => entry(key as string, value));
  return snapshotOf('', entries, 1n);
}

/** A change in short: `+a` added, `~a` modified, `-a` deleted, `!` behind it when initial. */
function short({ type, key, initial }: TreeChange): string {
  return `${{ added: '+', modified: '~', deleted: '-' }[type]}${key}${initial ? '!' : ''}`;
}

function marbles(): TestScheduler {
  return new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
}

describe('diff', () => {
  test('gives the changes of each snapshot one by one, in key order', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('  a-----b-------b-c---|', { a: state('ba'), b: state('a1bc'), c: state('b') });
      const expected = '     (xy)--(zw)------(uv)|';
      const values = { x: '+a!', y: '+b!', z: '~a', w: '+c', u: '-a', v: '-c' };

      expectObservable(source.pipe(diff(), map(short))).toBe(expected, values);
      expectSubscriptions(source.subscriptions).toBe('^-------------------!');
    });
  });

  test('modified and deleted carry the previous entry, added and modified the new one', () => {
    const seen: TreeChange[] = [];
    from([state('ab'), state('a1')])
      .pipe(diff({ initial: 'skip' }))
      .subscribe(change => seen.push(change));

    expect(seen).toEqual([
      { type: 'modified', key: 'a', entry: entry('a', '1'), previous: entry('a', ''), initial: false },
      { type: 'deleted', key: 'b', previous: entry('b', ''), initial: false },
    ]);
  });

  test('by revision is passed on', () => {
    const before = state('a');
    const after = applyChanges(before, [{ put: { ...(before.get('a') as Entry), revision: 2n } }], 2n);

    const count = (by: 'value' | 'revision'): number => {
      let changes = 0;
      of(before, after)
        .pipe(diff({ by, initial: 'skip' }))
        .subscribe(() => changes++);
      return changes;
    };

    expect([count('value'), count('revision')]).toEqual([0, 1]);
  });

  test('unsubscribing inside next stops at once, in the middle of a batch', () => {
    const source = new Subject<Snapshot>();
    const seen: string[] = [];
    const subscription = source.pipe(diff(), map(short)).subscribe(change => {
      seen.push(change);
      if (change === '+b!') subscription.unsubscribe();
    });

    source.next(state('abc'));

    expect(seen).toEqual(['+a!', '+b!']);
    expect(source.observed).toBe(false);
  });

  test('a snapshot that comes while one is being told waits its turn', () => {
    const source = new Subject<Snapshot>();
    const seen: string[] = [];
    source.pipe(diff(), map(short)).subscribe(change => {
      seen.push(change);
      if (change === '+a!') source.next(state('bc'));
    });

    source.next(state('ab'));

    expect(seen).toEqual(['+a!', '+b!', '-a', '+c']);
  });

  test('an error is passed on, and unsubscribing ends the source', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const failing = cold('a-#', { a: state('a') });
      const endless = cold('a-----', { a: state('a') });

      expectObservable(failing.pipe(diff(), map(short))).toBe('x-#', { x: '+a!' });
      expectObservable(endless.pipe(diff(), map(short)), '^---!').toBe('x', { x: '+a!' });
      expectSubscriptions(failing.subscriptions).toBe('^-!');
      expectSubscriptions(endless.subscriptions).toBe('^---!');
    });
  });

  test('an unknown option is refused by its name when the operator is made', () => {
    const message = 'unknown option "inital" of diff(): did you mean "initial"?';

    expect(() => diff({ inital: 'skip' } as never)).toThrow(expect.objectContaining({ code: 'invalid', message }));
  });

  describe('with retryTransient', () => {
    const cut = new KvError('unavailable', 'the link is cut');
    const retry = { first: 4, jitter: 'none' } as const;

    /** A watch that is cut once and begins with the current state when subscribed again. */
    function twice(first: Observable<Snapshot>, then: Observable<Snapshot>): Observable<Snapshot> {
      let subscribed = 0;
      return new Observable(subscriber => (++subscribed === 1 ? first : then).subscribe(subscriber));
    }

    test('before it, an outage shows as its net changes', () => {
      marbles().run(({ cold, expectObservable }) => {
        const watch = twice(cold('a--#', { a: state('ab') }, cut), cold('b----', { b: state('bc') }));
        const expected = '        (xy)---(zw)';

        expectObservable(watch.pipe(retryTransient(retry), diff(), map(short))).toBe(expected, { x: '+a!', y: '+b!', z: '-a', w: '+c' });
      });
    });

    test('after it, everything is added again', () => {
      marbles().run(({ cold, expectObservable }) => {
        const watch = twice(cold('a--#', { a: state('ab') }, cut), cold('b----', { b: state('bc') }));
        const expected = '        (xy)---(zw)';

        expectObservable(watch.pipe(diff(), retryTransient(retry), map(short))).toBe(expected, { x: '+a!', y: '+b!', z: '+b!', w: '+c!' });
      });
    });
  });
});
