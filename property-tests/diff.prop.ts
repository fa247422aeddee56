import { fc, test } from '@fast-check/vitest';
import { from, lastValueFrom, of, toArray } from 'rxjs';
import { describe, expect } from 'vitest';
import type { Change } from '../src/driver.js';
import { type Entry, sameBytes } from '../src/entry.js';
import { changesBetween, type ModifiedBy, type TreeChange, type TreeDelta } from '../src/operators/change.js';
import { deltas } from '../src/operators/deltas.js';
import { diff } from '../src/operators/diff.js';
import { toSnapshot } from '../src/operators/to-snapshot.js';
import { applyChanges, emptySnapshot, reconcile, type Snapshot, snapshotOf } from '../src/snapshot.js';

const key = fc.string({ unit: fc.constantFrom('a', 'b', '/', '-', '～', '😀'), minLength: 1, maxLength: 2 });
const entry: fc.Arbitrary<Entry> = fc.record(
  {
    key,
    value: fc.uint8Array({ maxLength: 1, max: 2 }),
    revision: fc.bigInt({ min: 1n, max: 3n }),
    created: fc.constant(1n),
    leased: fc.constant(false),
    token: fc.constantFrom('s', 't'),
  },
  { requiredKeys: ['key', 'value', 'revision', 'created', 'leased'] },
);
const entries = fc.array(entry, { maxLength: 30, size: 'max' });
const snapshot = entries.map(list => snapshotOf('d', list, 1n));
const changes: fc.Arbitrary<Change[]> = fc.array(
  fc.oneof(
    entry.map(put => ({ put })),
    key.map(gone => ({ delete: gone })),
  ),
  { maxLength: 6 },
);
const by = fc.constantFrom<ModifiedBy>('value', 'revision');

type Step = { patch: Change[] } | { reset: Entry[] } | { unrelated: Entry[] } | { repeat: true };
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: changes.map(patch => ({ patch })) },
    entries.map(reset => ({ reset })),
    entries.map(unrelated => ({ unrelated })),
    fc.constant({ repeat: true } as const),
  ),
  { maxLength: 6 },
);

/** Snapshots that follow one another, related and not; the same object where nothing changed. */
const history = fc.tuple(snapshot, steps).map(([first, list]) => {
  const all = [first];
  for (const step of list) {
    const last = all.at(-1) as Snapshot;
    const revision = last.revision + 1n;
    if ('patch' in step) all.push(applyChanges(last, step.patch, revision));
    else if ('reset' in step) all.push(reconcile(last, step.reset, revision));
    else if ('unrelated' in step) all.push(snapshotOf('d', step.unrelated, revision));
    else all.push(last);
  }
  return all;
});

/** Two snapshots, half of the time one made of the other. */
const pair = fc.oneof(
  fc.tuple(snapshot, snapshot),
  fc.tuple(snapshot, changes).map(([before, list]): [Snapshot, Snapshot] => [before, applyChanges(before, list, 2n)]),
);

function apply(to: Snapshot, list: readonly TreeChange[]): Snapshot {
  const steps = list.map((change): Change => (change.entry === undefined ? { delete: change.key } : { put: change.entry }));
  return applyChanges(to, steps, to.revision + 1n);
}

function equal(a: Entry, b: Entry, how: ModifiedBy): boolean {
  return sameBytes(a.value, b.value) && (how === 'value' || (a.revision === b.revision && a.token === b.token));
}

/** What subscribers to whom only this difference counts see as the same. */
function equalSnapshots(a: Snapshot, b: Snapshot, how: ModifiedBy): boolean {
  const others = [...b];
  return a.size === b.size && [...a].every((one, i) => one.key === others[i]?.key && equal(one, others[i], how));
}

function distinct(snapshots: readonly Snapshot[], how: ModifiedBy): Snapshot[] {
  return snapshots.filter((one, i) => i === 0 || !equalSnapshots(snapshots[i - 1] as Snapshot, one, how));
}

function valuesOf(made: Snapshot): [string, Uint8Array][] {
  return [...made].map(one => [one.key, one.value]);
}

/** A batch as it arrives at the other end of a wire: plain copies, and no snapshot. */
function sent({ changes: list, initial, directory, revision }: TreeDelta): Omit<TreeDelta, 'snapshot'> {
  return structuredClone({ changes: [...list], initial, directory, revision });
}

async function batches(snapshots: readonly Snapshot[], how: ModifiedBy): Promise<TreeDelta[]> {
  return lastValueFrom(from(snapshots).pipe(deltas({ by: how }), toArray()));
}

describe('diff', () => {
  test.prop([history])('fold: by revision, toSnapshot() of deltas() is the distinct snapshots', async snapshots => {
    const told = (await batches(snapshots, 'revision')).map(sent);
    const folded = await lastValueFrom(from(told).pipe(toSnapshot(), toArray()));
    const expected = distinct(snapshots, 'revision');

    expect(folded.map(one => [...one])).toEqual(expected.map(one => [...one]));
    expect(folded.map(({ revision, directory }) => [revision, directory])).toEqual(
      expected.map(({ revision, directory }) => [revision, directory]),
    );
  });

  test.prop([history])('fold: by value, toSnapshot() of deltas() has the values of the distinct snapshots', async snapshots => {
    const told = (await batches(snapshots, 'value')).map(sent);
    const folded = await lastValueFrom(from(told).pipe(toSnapshot(), toArray()));

    expect(folded.map(valuesOf)).toEqual(distinct(snapshots, 'value').map(valuesOf));
  });

  test.prop([pair, by])('empty: no changes if and only if the snapshots are alike', ([before, after], how) => {
    expect(changesBetween(before, after, how).length === 0).toBe(equalSnapshots(before, after, how));
    expect(changesBetween(after, after, how)).toEqual([]);
  });

  test.prop([pair, by])('shape-blind: snapshots built anew have the same changes', ([before, after], how) => {
    const anew = (made: Snapshot): Snapshot => snapshotOf(made.directory, [...made], made.revision);
    const grown = [...after].reverse().reduce((at, put) => applyChanges(at, [{ put }], 1n), emptySnapshot('d', 1n));

    expect(changesBetween(anew(before), anew(after), how)).toEqual(changesBetween(before, after, how));
    expect(changesBetween(before, grown, how)).toEqual(changesBetween(before, after, how));
  });

  test.prop([pair, by])('shape-blind: a foreign snapshot that can only be iterated has the same changes', ([before, after], how) => {
    const fake = (made: Snapshot): Snapshot => ({ [Symbol.iterator]: () => [...made].reverse().values() }) as unknown as Snapshot;

    expect(changesBetween(fake(before), fake(after), how)).toEqual(changesBetween(before, after, how));
  });

  test.prop([pair, by])(
    'inverse: the way back is the way there with added and deleted, entry and previous swapped',
    ([before, after], how) => {
      const back = changesBetween(before, after, how).map(({ type, key: name, entry: is, previous: was, initial }) => ({
        type: type === 'added' ? 'deleted' : type === 'deleted' ? 'added' : 'modified',
        key: name,
        entry: was,
        previous: is,
        initial,
      }));

      expect(changesBetween(after, before, how)).toEqual(back);
    },
  );

  test.prop([snapshot, changes, snapshot])(
    'triangle: two diffs applied one after the other end where the last snapshot is',
    (a, list, c) => {
      const b = applyChanges(a, list, 2n);
      const there = apply(apply(a, changesBetween(a, b, 'revision')), changesBetween(b, c, 'revision'));

      expect([...there]).toEqual([...c]);
      expect(valuesOf(apply(apply(a, changesBetween(a, b, 'value')), changesBetween(b, c, 'value')))).toEqual(valuesOf(c));
    },
  );

  test.prop([history, fc.infiniteStream(fc.boolean()), by])(
    'triangle: whoever sees only some snapshots ends in the same state',
    async (all, seen, how) => {
      const some = all.filter((_, i) => i === all.length - 1 || seen.next().value);
      const told = await lastValueFrom(from(some).pipe(diff({ by: how }), toArray()));

      expect(valuesOf(apply(emptySnapshot('d', 0n), told))).toEqual(valuesOf(all.at(-1) as Snapshot));
    },
  );

  test.prop([history, by])('key order: every batch is in strictly ascending key order', async (snapshots, how) => {
    for (const { changes: list } of await batches(snapshots, how)) {
      const keys = list.map(change => change.key);
      expect(keys).toEqual([...new Set(keys)].sort((a, b) => (a < b ? -1 : 1)));
    }
  });

  test.prop([history, by])(
    'synced: the first batch is the one initial one, adds all, and none after it is empty',
    async (snapshots, how) => {
      const [first, ...later] = (await batches(snapshots, how)) as [TreeDelta, ...TreeDelta[]];

      expect(first.initial).toBe(true);
      expect(first.changes.map(({ type, entry: is, initial }) => [type, is, initial])).toEqual(
        [...(snapshots[0] as Snapshot)].map(one => ['added', one, true]),
      );
      for (const batch of later) {
        expect(batch.initial).toBe(false);
        expect(batch.changes.length).toBeGreaterThan(0);
        expect(batch.changes.every(({ initial }) => !initial)).toBe(true);
      }
    },
  );

  test.prop([history, by])('flatten: diff() is deltas() one by one', async (snapshots, how) => {
    const flat = (await batches(snapshots, how)).flatMap(batch => batch.changes);

    expect(await lastValueFrom(from(snapshots).pipe(diff({ by: how }), toArray()))).toEqual(flat);
  });

  test.prop([pair, by])(
    'remembered: a second subscriber of the same pair is given the very same frozen changes',
    async ([before, after], how) => {
      const once = await lastValueFrom(of(before, after).pipe(deltas({ by: how }), toArray()));
      const again = changesBetween(before, after, how);

      expect(changesBetween(before, after, how)).toBe(again);
      expect(Object.isFrozen(again)).toBe(true);
      if (once.length === 2) expect(once[1]?.changes).toBe(again);
      // Another question about the same snapshot is answered by itself.
      expect(changesBetween(undefined, after, how)).toHaveLength(after.size);
      expect(changesBetween(before, after, how)).toEqual(again);
    },
  );
});
