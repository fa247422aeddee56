import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import type { Change } from '../src/driver.js';
import { type Entry, sameEntry } from '../src/entry.js';
import { depthOf } from '../src/key.js';
import { applyChanges, project, reconcile, type Snapshot, snapshotOf } from '../src/snapshot.js';

const segment = fc.constantFrom('a', 'b', 'a-b', 'a.b', 'a0', '😀');
const key = fc.array(segment, { minLength: 1, maxLength: 3 }).map(segments => `p/${segments.join('/')}`);
const prefix = fc.oneof(
  fc.constant('p/'),
  fc.array(segment, { minLength: 1, maxLength: 2 }).map(segments => `p/${segments.join('/')}/`),
);

function entryOf(name: fc.Arbitrary<string>): fc.Arbitrary<Entry> {
  return fc.record({
    key: name,
    value: fc.uint8Array({ maxLength: 1, max: 1 }),
    revision: fc.bigInt({ min: 1n, max: 2n }),
    created: fc.constant(1n),
    leased: fc.constant(false),
  });
}

const entry = entryOf(key);
const entries = fc.array(entry, { maxLength: 40, size: 'max' });
const snapshot = entries.map(list => snapshotOf('p', list, 1n));
const change: fc.Arbitrary<Change> = fc.oneof(
  entry.map(put => ({ put })),
  key.map(gone => ({ delete: gone })),
  fc
    .tuple(prefix, entries)
    .map(([replace, list]) => ({ replace, entries: list.filter(one => one.key.startsWith(replace)) }) satisfies Change),
);
const changes = fc.array(change, { maxLength: 8 });
const view = fc.record({ directory: fc.constant('seen'), strip: fc.constantFrom(0, 2), depth: fc.constantFrom(undefined, 1, 2, 3) });

function mapOf(list: Iterable<Entry>): Map<string, Entry> {
  return new Map([...list].map(one => [one.key, one]));
}

function ordered(map: ReadonlyMap<string, Entry>): Entry[] {
  return [...map.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The state after the changes, by the dullest means. */
function model(before: Snapshot, list: readonly Change[]): Entry[] {
  const map = mapOf(before);
  for (const step of list) {
    if ('put' in step) map.set(step.put.key, step.put);
    else if ('delete' in step) map.delete(step.delete);
    else {
      for (const name of [...map.keys()]) if (name.startsWith(step.replace)) map.delete(name);
      for (const one of step.entries) map.set(one.key, one);
    }
  }
  return ordered(map);
}

/** The keys whose entry object should have been kept, since the write is the same, and was not, or the other way round. */
function misplaced(before: Snapshot, after: Snapshot): string[] {
  const wrong = [...after].filter(one => (before.get(one.key) === one) !== sameAs(before.get(one.key), one));
  return wrong.map(one => one.key);
}

describe('snapshot', () => {
  test.prop([entries])('key order: any order of entries gives one snapshot, of equal keys with the last', list => {
    const made = snapshotOf('p', list, 1n);

    expect([...made]).toEqual(ordered(mapOf(list)));
    expect([...made.keys()]).toEqual([...made].map(one => one.key));
    expect(made.size).toBe(mapOf(list).size);
  });

  test.prop([snapshot, fc.bigInt({ min: 1n, max: 9n })])(
    'identity: reconciled with its own entries it is the very same',
    (made, revision) => {
      const copies = [...made].map(one => ({ ...one, value: Uint8Array.from(one.value) }));

      expect(reconcile(made, [...made], revision)).toBe(made);
      expect(reconcile(made, copies.reverse(), revision)).toBe(made);
    },
  );

  test.prop([snapshot, entries])('reconcile: ends in the new entries, and keeps the objects of the same writes', (before, list) => {
    const after = reconcile(before, list, 2n);

    expect([...after]).toEqual(ordered(mapOf(list)));
    expect(misplaced(before, after)).toEqual([]);
  });

  test.prop([snapshot, changes])('applyChanges: ends where a Map does, and keeps the objects of the same writes', (before, list) => {
    const after = applyChanges(before, list, 2n);

    expect([...after]).toEqual(model(before, list));
    expect(misplaced(before, after)).toEqual([]);
  });

  test.prop([snapshot, changes])('identity: changes that come to nothing give the very same snapshot', (before, list) => {
    const expected = model(before, list);
    const same = expected.length === before.size && expected.every(one => sameEntry(one, before.get(one.key) ?? { ...one, revision: 0n }));

    expect(applyChanges(before, list, 2n) === before).toBe(same);
  });

  test.prop([snapshot, fc.array(changes, { maxLength: 5 })])(
    'feed-blind: told as patches or as resets the end is the same',
    (start, history) => {
      let patched = start;
      let reset = start;
      for (const list of history) {
        const state = model(reset, list);
        patched = applyChanges(patched, list, patched.revision + 1n);
        reset = reconcile(reset, state, reset.revision + 1n);
      }

      expect([...patched]).toEqual([...reset]);
    },
  );

  test.prop([snapshot, view])('prefix closure: a view is what a filter and a rename make', (source, seen) => {
    const expected = [...source]
      .filter(one => seen.depth === undefined || depthOf(one.key) - 1 <= seen.depth)
      .map(one => ({ ...one, key: one.key.slice(seen.strip) }));
    const { depth, ...rest } = seen;

    expect([...project(source, depth === undefined ? rest : { ...rest, depth })]).toEqual(expected);
  });

  test.prop([snapshot, fc.array(fc.oneof(changes, entries), { maxLength: 5 }), view])(
    'prefix closure: a view that follows changes shows what one made anew shows, and keeps what it showed',
    (start, history, { depth, ...rest }) => {
      const seen = depth === undefined ? rest : { ...rest, depth };
      let source = start;
      let output = project(start, seen);
      for (const step of history) {
        const next = isChanges(step) ? applyChanges(source, step, source.revision + 1n) : reconcile(source, step, source.revision + 1n);
        const shown = project(next, seen, { source, output });
        const anew = project(next, seen);

        expect([...shown]).toEqual([...anew]);
        expect(misplaced(output, shown)).toEqual([]);
        if (next !== source && seen.strip + (depth ?? 0) > 0) {
          expect(shown === output).toBe([...anew].length === output.size && [...anew].every(one => sameAs(output.get(one.key), one)));
        }
        source = next;
        output = shown;
      }
    },
  );

  test.prop([snapshot, prefix])('children: one level is what the keys say, ordered by name', (made, below) => {
    const expected = new Map<string, { entry?: Entry; directory: boolean }>();
    for (const one of made) {
      if (!one.key.startsWith(below)) continue;
      const [name, ...rest] = one.key.slice(below.length).split('/') as [string, ...string[]];
      const known = expected.get(name) ?? { directory: false };
      expected.set(name, rest.length > 0 ? { ...known, directory: true } : { ...known, entry: one });
    }
    const names = [...expected.keys()].sort((a, b) => (a < b ? -1 : 1));

    expect(made.children(below)).toEqual(names.map(name => ({ name, key: below + name, ...expected.get(name) })));
  });
});

function isChanges(step: readonly (Change | Entry)[]): step is Change[] {
  return step.every(one => !('revision' in one));
}

function sameAs(was: Entry | undefined, one: Entry): boolean {
  return was !== undefined && sameEntry(was, one);
}
