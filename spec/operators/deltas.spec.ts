import { from, Subject, take } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, test, vi } from 'vitest';
import type { Entry } from '../../src/entry.js';
import type { TreeDelta } from '../../src/operators/change.js';
import { deltas } from '../../src/operators/deltas.js';
import { applyChanges, emptySnapshot, type Snapshot, snapshotOf } from '../../src/snapshot.js';

function entry(key: string, value = key, revision = 1n, token?: string): Entry {
  const plain = { key, value: new TextEncoder().encode(value), revision, created: 1n, leased: false };
  return token === undefined ? plain : { ...plain, token };
}

function state(revision: bigint, ...entries: Entry[]): Snapshot {
  return snapshotOf('dir', entries, revision);
}

function marbles(): TestScheduler {
  return new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
}

function collect(snapshots: readonly Snapshot[], options?: Parameters<typeof deltas>[0]): TreeDelta[] {
  const source = new Subject<Snapshot>();
  const seen: TreeDelta[] = [];
  source.pipe(deltas(options)).subscribe(batch => seen.push(batch));
  for (const snapshot of snapshots) source.next(snapshot);
  return seen;
}

describe('deltas', () => {
  const a = entry('a');
  const b = entry('b');
  const newA = entry('a', 'new', 2n);

  test('gives one batch for each snapshot that changes something, in key order', () => {
    const first = state(1n, a);
    const second = state(2n, newA, b);
    const third = state(3n, b);

    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('  -a--b--b--c--|', { a: first, b: second, c: third });
      const expected = '     -a--b-----c--|';
      const initial = { initial: true, key: 'a', type: 'added', entry: a } as const;

      expectObservable(source.pipe(deltas())).toBe(expected, {
        a: { changes: [initial], initial: true, directory: 'dir', revision: 1n, snapshot: first },
        b: {
          changes: [
            { type: 'modified', key: 'a', entry: newA, previous: a, initial: false },
            { type: 'added', key: 'b', entry: b, initial: false },
          ],
          initial: false,
          directory: 'dir',
          revision: 2n,
          snapshot: second,
        },
        c: {
          changes: [{ type: 'deleted', key: 'a', previous: newA, initial: false }],
          initial: false,
          directory: 'dir',
          revision: 3n,
          snapshot: third,
        },
      });
      expectSubscriptions(source.subscriptions).toBe('^------------!');
    });
  });

  test('the first batch comes even if it is empty: it says synced', () => {
    const [first, ...later] = collect([emptySnapshot('dir', 1n), state(2n)]);

    expect(first).toMatchObject({ changes: [], initial: true, revision: 1n });
    expect(later).toEqual([]);
  });

  test('initial: skip leaves out what was there, and still says synced', () => {
    const seen = collect([state(1n, a, b), state(2n, a)], { initial: 'skip' });

    expect(seen).toMatchObject([
      { changes: [], initial: true },
      { changes: [{ type: 'deleted', key: 'b', previous: b }], initial: false },
    ]);
  });

  test('by value a write of the same bytes is no change; a later one is compared with it all the same', () => {
    const touched = entry('a', 'a', 5n);
    const seen = collect([state(1n, a), state(5n, touched), state(6n, newA)]);

    expect(seen).toHaveLength(2);
    expect(seen[1]?.changes).toEqual([{ type: 'modified', key: 'a', entry: newA, previous: touched, initial: false }]);
  });

  test.each([
    ['revision', entry('a', 'a', 2n)],
    ['token', entry('a', 'a', 1n, 'other')],
    ['bytes', entry('a', 'other', 1n)],
  ])('by revision a different %s is a change', (_, other) => {
    const seen = collect([state(1n, a), state(2n, other)], { by: 'revision' });

    expect(seen[1]?.changes).toEqual([{ type: 'modified', key: 'a', entry: other, previous: a, initial: false }]);
  });

  test('delete and re-create between two snapshots is one modified, or nothing when the bytes are equal', () => {
    const again = { ...entry('a', 'a', 9n), created: 9n };

    expect(collect([state(1n, a), state(9n, again)])).toHaveLength(1);
    expect(collect([state(1n, a), state(9n, { ...newA, created: 9n })])[1]?.changes).toMatchObject([{ type: 'modified', previous: a }]);
  });

  test('subscribers of one snapshot share its changes, and ask again for others', () => {
    const before = state(1n, a);
    const after = applyChanges(before, [{ put: b }], 2n);
    const [first, second] = [collect([before, after]), collect([before, after])];

    expect(second[1]?.changes).toBe(first[1]?.changes);
    expect(Object.isFrozen(first[1]?.changes)).toBe(true);
    expect(collect([state(1n), after])[1]?.changes).toHaveLength(2);
    expect(collect([after])[0]?.changes).toMatchObject([{ initial: true }, { initial: true }]);
  });

  test('what was answered by value is not the answer by revision', () => {
    const before = state(1n, a);
    const touched = applyChanges(before, [{ put: entry('a', 'a', 2n) }], 2n);

    expect(collect([before, touched])).toHaveLength(1);
    expect(collect([before, touched], { by: 'revision' })).toHaveLength(2);
    expect(collect([before, touched])).toHaveLength(1);
  });

  test('by revision what was read again and is the same write is no change', () => {
    const before = state(1n, a, entry('b', 'b', 1n, 'token'));
    const again = state(2n, entry('a'), entry('b', 'b', 1n, 'token'));

    expect(collect([before, again], { by: 'revision' })).toHaveLength(1);
    expect(collect([before, state(2n, a, entry('b', 'b', 1n, 'other'))], { by: 'revision' })).toHaveLength(2);
  });

  test('nothing is left on a snapshot that is not ours', () => {
    const foreign = { directory: 'dir', revision: 1n, [Symbol.iterator]: () => [a].values() } as unknown as Snapshot;
    const before = Reflect.ownKeys(foreign);

    expect(collect([foreign])[0]?.changes).toMatchObject([{ type: 'added', key: 'a' }]);
    expect(Reflect.ownKeys(foreign)).toEqual(before);
  });

  test('another copy of the package gives the same changes for our snapshots, and shares them', async () => {
    vi.resetModules();
    const other = await import('../../src/operators/deltas.js');
    const before = state(1n, a);
    const after = applyChanges(before, [{ put: b }], 2n);
    const theirs: TreeDelta[] = [];
    from([before, after])
      .pipe(other.deltas())
      .subscribe(batch => theirs.push(batch));

    expect(other.deltas).not.toBe(deltas);
    expect(collect([before, after])).toEqual(theirs);
    expect(collect([before, after])[1]?.changes).toBe(theirs[1]?.changes);
  });

  test('a frozen snapshot is compared like any other', () => {
    expect(collect([Object.freeze(state(1n, a)), Object.freeze(state(2n))])[1]?.changes).toMatchObject([{ type: 'deleted' }]);
  });

  test('each subscription has its own memory', () => {
    marbles().run(({ cold, expectObservable }) => {
      const batches = cold('a', { a: state(1n, a) }).pipe(deltas());

      for (let i = 0; i < 2; i++) {
        expectObservable(batches, '^!').toBe('a', {
          a: expect.objectContaining({ initial: true, changes: [expect.objectContaining({ type: 'added' })] }),
        });
      }
    });
  });

  test('an error is passed on, and unsubscribing ends the source', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const failing = cold<Snapshot>('--#');
      const endless = cold('a-----', { a: state(1n) });

      expectObservable(failing.pipe(deltas())).toBe('--#');
      expectObservable(endless.pipe(deltas(), take(1))).toBe('(a|)', { a: expect.objectContaining({ initial: true }) });
      expectSubscriptions(failing.subscriptions).toBe('^-!');
      expectSubscriptions(endless.subscriptions).toBe('(^!)');
    });
  });

  test.each([
    [{ inital: 'skip' }, 'unknown option "inital" of deltas(): did you mean "initial"?'],
    [{ by: 'bytes' }, 'option by of deltas() is "value" or "revision"'],
    [{ initial: true }, 'option initial of deltas() is "emit" or "skip"'],
    [null, 'the options of deltas() are an object, not null'],
  ])('refuses %j when it is made', (options, message) => {
    expect(() => deltas(options as never)).toThrow(expect.objectContaining({ code: 'invalid', message }));
  });
});
