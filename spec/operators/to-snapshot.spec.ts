import { from, map, Subject } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, test } from 'vitest';
import type { Entry } from '../../src/entry.js';
import { deltas } from '../../src/operators/deltas.js';
import { type SentDelta, toSnapshot } from '../../src/operators/to-snapshot.js';
import { type Snapshot, snapshotOf } from '../../src/snapshot.js';

function entry(key: string, value = key, revision = 1n): Entry {
  return { key, value: new TextEncoder().encode(value), revision, created: 1n, leased: false };
}

function batch(initial: boolean, revision: bigint, ...changes: SentDelta['changes']): SentDelta {
  return { changes, initial, directory: 'dir', revision };
}

const added = (key: string): SentDelta['changes'][number] => ({ type: 'added', key, entry: entry(key), initial: true });
const deleted = (key: string): SentDelta['changes'][number] => ({ type: 'deleted', key, previous: entry(key), initial: false });

function marbles(): TestScheduler {
  return new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
}

describe('toSnapshot', () => {
  test('folds batches into snapshots, with directory and revision from each', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('  -a-b-c|', {
        a: batch(true, 1n, added('a')),
        b: batch(false, 2n, added('b')),
        c: batch(false, 3n, deleted('a'), added('c')),
      });

      expectObservable(source.pipe(toSnapshot(), map(shown))).toBe('-a-b-c|', { a: 'dir@1: a', b: 'dir@2: a b', c: 'dir@3: b c' });
      expectSubscriptions(source.subscriptions).toBe('^-----!');
    });
  });

  test('a batch that says initial starts anew', () => {
    const seen: string[] = [];
    from([batch(true, 1n, added('a'), added('b')), batch(true, 5n, added('c')), batch(false, 6n, added('d'))])
      .pipe(toSnapshot())
      .subscribe(snapshot => seen.push(keysOf(snapshot)));

    expect(seen).toEqual(['a b', 'c', 'c d']);
  });

  test('an empty first batch is an empty snapshot', () => {
    const seen: Snapshot[] = [];
    from([batch(true, 4n)])
      .pipe(toSnapshot())
      .subscribe(snapshot => seen.push(snapshot));

    expect(seen).toMatchObject([{ size: 0, directory: 'dir', revision: 4n }]);
  });

  test('undoes deltas() on copies that have no snapshot', () => {
    const states = [snapshotOf('d', [entry('d/a'), entry('d/b')], 1n), snapshotOf('d', [entry('d/b', 'new', 2n)], 2n)];
    const seen: Snapshot[] = [];
    from(states)
      .pipe(
        deltas(),
        map(({ changes, initial, directory, revision }) => structuredClone({ changes: [...changes], initial, directory, revision })),
        toSnapshot(),
      )
      .subscribe(snapshot => seen.push(snapshot));

    expect(seen.map(snapshot => [...snapshot])).toEqual(states.map(snapshot => [...snapshot]));
    expect(seen.map(({ revision }) => revision)).toEqual([1n, 2n]);
  });

  test('each subscription folds for itself', () => {
    const source = new Subject<SentDelta>();
    const folded = source.pipe(toSnapshot(), map(keysOf));
    const early: string[] = [];
    const late: string[] = [];
    folded.subscribe(keys => early.push(keys));
    source.next(batch(true, 1n, added('a')));
    folded.subscribe(keys => late.push(keys));
    source.next(batch(false, 2n, added('b')));

    expect(early).toEqual(['a', 'a b']);
    expect(late).toEqual(['b']);
  });

  test('an error is passed on, and unsubscribing ends the source', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const failing = cold<SentDelta>('--#');
      const endless = cold<SentDelta>('---');

      expectObservable(failing.pipe(toSnapshot())).toBe('--#');
      expectObservable(endless.pipe(toSnapshot()), '^-!').toBe('---');
      expectSubscriptions(failing.subscriptions).toBe('^-!');
      expectSubscriptions(endless.subscriptions).toBe('^-!');
    });
  });
});

function shown(snapshot: Snapshot): string {
  return `${snapshot.directory}@${snapshot.revision}: ${keysOf(snapshot)}`;
}

function keysOf(snapshot: Snapshot): string {
  return [...snapshot.keys()].join(' ');
}
