import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import type { Entry } from '../src/entry.js';
import { fromSorted, get, insert, iterate, merge, remove, replaceRange, sizeOf, split, type Tree, walkChanges } from '../src/tree.js';

type Command = { readonly put: Entry } | { readonly delete: string };

const key = fc.oneof(
  fc.integer({ min: 0, max: 60 }).map(n => `k${n}`),
  fc.string({ unit: fc.constantFrom('a', 'b', '/', '-', '0', '～', '😀'), minLength: 1, maxLength: 3 }),
);

const entry: fc.Arbitrary<Entry> = fc.record({
  key,
  value: fc.uint8Array({ maxLength: 1 }),
  revision: fc.bigInt({ min: 1n, max: 3n }),
  created: fc.constant(1n),
  leased: fc.constant(false),
});

// size: fast-check would make most arrays short otherwise, and short trees are balanced by chance.
const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof({ weight: 3, arbitrary: entry.map(put => ({ put })) }, { weight: 2, arbitrary: key.map(gone => ({ delete: gone })) }),
  { maxLength: 200, size: 'max' },
);

/** Entries in ascending order, as a tree built at once or one by one: trees of different shapes. */
const sorted = fc.array(entry, { maxLength: 100, size: 'max' }).map(entries => ascending(new Map(entries.map(one => [one.key, one]))));
const tree: fc.Arbitrary<Tree> = fc.oneof(
  sorted.map(entries => fromSorted(entries)),
  commands.map(list => run(undefined, list)),
);

function run(start: Tree, list: readonly Command[]): Tree {
  return list.reduce<Tree>((at, command) => ('put' in command ? insert(at, command.put) : remove(at, command.delete)), start);
}

function model(start: Tree, list: readonly Command[]): Map<string, Entry> {
  const map = new Map([...iterate(start)].map(one => [one.key, one]));
  for (const command of list) {
    if ('put' in command) map.set(command.put.key, command.put);
    else map.delete(command.delete);
  }
  return map;
}

function ascending(map: ReadonlyMap<string, Entry>): Entry[] {
  return [...map.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** What is wrong with a tree: its order, its sizes, its balance. One list, since an expect() for each node takes long. */
function flaws(of: Tree): string[] {
  const keys = [...iterate(of)].map(({ key: name }) => name);
  const disordered = keys.filter((name, i) => i > 0 && (keys[i - 1] as string) >= name).map(name => `${name} is out of order`);
  return [...disordered, ...unbalanced(of)];
}

function unbalanced(of: Tree): string[] {
  if (of === undefined) return [];
  const left = sizeOf(of.left);
  const right = sizeOf(of.right);
  const found = [...unbalanced(of.left), ...unbalanced(of.right)];
  if (of.key !== of.entry.key) found.push(`${of.entry.key} stands as ${of.key}`);
  if (of.size !== left + right + 1) found.push(`${of.entry.key} has size ${of.size}`);
  if (left + right > 1 && Math.max(left, right) > 3 * Math.min(left, right)) found.push(`${of.entry.key} weighs ${left} and ${right}`);
  return found;
}

function nodesOf(of: Tree, into: Set<object> = new Set()): Set<object> {
  if (of === undefined) return into;
  into.add(of);
  nodesOf(of.left, into);
  return nodesOf(of.right, into);
}

function changes(before: Tree, after: Tree): [string, Entry | undefined, Entry | undefined][] {
  const seen: [string, Entry | undefined, Entry | undefined][] = [];
  walkChanges(before, after, (previous, next) => {
    seen.push([(previous ?? next)?.key as string, previous, next]);
  });
  return seen;
}

function modelChanges(before: Tree, after: Tree): [string, Entry | undefined, Entry | undefined][] {
  const keys = [...new Set([...iterate(before), ...iterate(after)].map(one => one.key))].sort((a, b) => (a < b ? -1 : 1));
  return keys
    .map((one): [string, Entry | undefined, Entry | undefined] => [one, get(before, one), get(after, one)])
    .filter(([, previous, next]) => previous !== next);
}

describe('tree', () => {
  test.prop([tree, commands])('model: any changes leave what a Map holds, and the tree they began with', (start, list) => {
    const before = [...iterate(start)];
    const after = run(start, list);
    const expected = model(start, list);

    expect([...iterate(after)]).toEqual(ascending(expected));
    expect([...expected].filter(([name, one]) => get(after, name) !== one)).toEqual([]);
    expect([...iterate(start)]).toEqual(before);
  });

  test.prop([tree, commands])('balance: no side weighs over three times the other after any changes', (start, list) => {
    expect(flaws(run(start, list))).toEqual([]);
  });

  test.prop([tree, tree, key, key])('balance: nor after split, merge and replaced ranges', (whole, other, from, to) => {
    const [below, others] = split(whole, from);
    const end = to < from ? from : to;
    const inside = fromSorted([...iterate(other, from, end)]);

    expect(flaws(below)).toEqual([]);
    expect(flaws(others)).toEqual([]);
    expect(flaws(merge(below, others))).toEqual([]);
    expect(flaws(replaceRange(whole, from, end, () => inside))).toEqual([]);
  });

  test.prop([tree, key])('split and merge are inverse, and split at the bound', (whole, at) => {
    const [below, others] = split(whole, at);

    expect([...iterate(below)]).toEqual([...iterate(whole, undefined, at)]);
    expect([...iterate(others)]).toEqual([...iterate(whole, at)]);
    expect([...iterate(merge(below, others))]).toEqual([...iterate(whole)]);
  });

  test.prop([tree, key, key])('key order: a range is what a filter finds, in order', (whole, from, to) => {
    const expected = [...iterate(whole)].filter(one => from <= one.key && one.key < to);

    expect([...iterate(whole, from, to)]).toEqual(expected);
  });

  test.prop([tree, tree, key, key])('replaceRange: the range is replaced and the rest is kept', (whole, other, from, to) => {
    const end = to < from ? from : to;
    const after = replaceRange(whole, from, end, () => fromSorted([...iterate(other, from, end)]));

    expect([...iterate(after)]).toEqual([...iterate(whole, undefined, from), ...iterate(other, from, end), ...iterate(whole, end)]);
    expect(replaceRange(whole, from, end, inside => inside)).toBe(whole);
  });

  test.prop([fc.integer({ min: 1, max: 2000 }), fc.nat(), fc.boolean()])(
    'sharing: one change in n keys makes at most 4·log2(n) + 8 new nodes',
    (n, at, gone) => {
      const entries = Array.from({ length: n }, (_, i): Entry => one(`k${String(i).padStart(5, '0')}`));
      const name = `k${String(at % n).padStart(5, '0')}`;
      const before = fromSorted(entries);
      const after = gone ? remove(before, name) : insert(before, one(`${name}+`));
      const old = nodesOf(before);

      expect([...nodesOf(after)].filter(node => !old.has(node)).length).toBeLessThanOrEqual(4 * Math.log2(n) + 8);
    },
  );

  test.prop([tree, commands])('walk: related trees differ as their models do, both ways', (before, list) => {
    const after = run(before, list);

    expect(changes(before, after)).toEqual(modelChanges(before, after));
    expect(changes(after, before)).toEqual(modelChanges(after, before));
  });

  test.prop([tree, tree])('walk: unrelated trees differ as their models do', (before, after) => {
    expect(changes(before, after)).toEqual(modelChanges(before, after));
  });

  test.prop([tree, commands])('shape-blind: a rebuilt tree differs from another as the grown one does', (before, list) => {
    const after = run(before, list);
    const rebuilt = fromSorted([...iterate(after)]);

    expect(changes(after, rebuilt)).toEqual([]);
    expect(changes(before, rebuilt)).toEqual(changes(before, after));
  });
});

function one(name: string): Entry {
  return { key: name, value: new Uint8Array(), revision: 1n, created: 1n, leased: false };
}
