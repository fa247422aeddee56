import { describe, expect, test } from 'vitest';
import type { Entry } from '../src/entry.js';
import { fromSorted, get, insert, iterate, merge, remove, replaceRange, sizeOf, split, type Tree, walkChanges } from '../src/tree.js';

function entry(key: string, revision = 1n): Entry {
  return { key, value: new Uint8Array([1]), revision, created: 1n, leased: false };
}

function numbered(n: number): Entry[] {
  return Array.from({ length: n }, (_, i) => entry(`k${String(i).padStart(6, '0')}`));
}

function keysOf(tree: Tree, from?: string, to?: string): string[] {
  return [...iterate(tree, from, to)].map(({ key }) => key);
}

function visits(before: Tree, after: Tree): string[] {
  const seen: string[] = [];
  walkChanges(before, after, (previous, next) => {
    seen.push(`${previous === undefined ? '+' : next === undefined ? '-' : '~'}${(previous ?? next)?.key}`);
  });
  return seen;
}

describe('tree', () => {
  const abc = fromSorted(['a', 'b', 'c'].map(key => entry(key)));

  test('an empty tree has nothing', () => {
    expect(sizeOf(undefined)).toBe(0);
    expect(get(undefined, 'a')).toBeUndefined();
    expect(keysOf(undefined)).toEqual([]);
    expect(remove(undefined, 'a')).toBeUndefined();
    expect(split(undefined, 'a')).toEqual([undefined, undefined]);
  });

  test('a changed tree leaves the one it came from as it was', () => {
    const more = insert(remove(abc, 'b'), entry('d'));

    expect(keysOf(abc)).toEqual(['a', 'b', 'c']);
    expect(keysOf(more)).toEqual(['a', 'c', 'd']);
  });

  test('the order is that of UTF-16 units, also beyond the BMP', () => {
    // U+1F600 is D83D DE00: before U+FF5E here, after it in UTF-8.
    const tree = ['～', '😀', 'z'].map(key => entry(key)).reduce<Tree>((to, one) => insert(to, one), undefined);

    expect(keysOf(tree)).toEqual(['z', '😀', '～']);
  });

  test('inserting the entry that is there and removing a key that is not give the very same tree', () => {
    for (const key of keysOf(abc)) expect(insert(abc, get(abc, key) as Entry)).toBe(abc);
    for (const key of ['0', 'aa', 'bb', 'd']) expect(remove(abc, key)).toBe(abc);
  });

  test('iterating starts at the lower bound and ends before the upper one', () => {
    expect(keysOf(abc, 'b')).toEqual(['b', 'c']);
    expect(keysOf(abc, 'aa', 'c')).toEqual(['b']);
    expect(keysOf(abc, undefined, 'b')).toEqual(['a']);
    expect(keysOf(abc, 'd')).toEqual([]);
  });

  test('split and merge undo each other', () => {
    const [below, others] = split(abc, 'b');

    expect(keysOf(below)).toEqual(['a']);
    expect(keysOf(others)).toEqual(['b', 'c']);
    expect(keysOf(merge(below, others))).toEqual(['a', 'b', 'c']);
  });

  test('replaceRange changes what is inside and gives the very same tree when it is left alone', () => {
    expect(keysOf(replaceRange(abc, 'b', 'c', () => fromSorted([entry('b1'), entry('b2')])))).toEqual(['a', 'b1', 'b2', 'c']);
    expect(keysOf(replaceRange(abc, undefined, 'c', () => undefined))).toEqual(['c']);
    expect(replaceRange(abc, 'a', 'c', inside => inside)).toBe(abc);
  });

  test('replaceRange with both bounds open gives the very tree to be changed', () => {
    const seen: Tree[] = [];

    expect(replaceRange(abc, undefined, undefined, inside => (seen.push(inside), inside))).toBe(abc);
    expect(seen).toEqual([abc]);
    expect(seen[0]).toBe(abc);
  });

  test('a walk visits what differs in key order, and ends when told', () => {
    const after = insert(insert(remove(abc, 'a'), entry('b', 2n)), entry('d'));
    const first: string[] = [];

    expect(visits(abc, after)).toEqual(['-a', '~b', '+d']);
    expect(visits(after, abc)).toEqual(['+a', '~b', '-d']);
    walkChanges(abc, after, (previous, next) => {
      first.push((previous ?? next)?.key as string);
      return false;
    });
    expect(first).toEqual(['a']);
  });

  test('trees of other shapes with the same entries have no changes', () => {
    const entries = numbered(200);

    expect(
      visits(
        fromSorted(entries),
        entries.reduce<Tree>((to, one) => insert(to, one), undefined),
      ),
    ).toEqual([]);
  });

  test('a walk between related trees opens few nodes of many', () => {
    let opened = 0;
    const before = fromSorted(numbered(10_000));
    const after = insert(remove(before, 'k001234'), entry('k007777', 2n));
    const watched = watching(() => opened++);

    expect(visits(watched(before), watched(after))).toEqual(['-k001234', '~k007777']);
    // Two changes, each on a path of about 14 nodes in either tree; the trees have 10 000.
    expect(opened).toBeLessThan(100);
  });

  test('a walk between trees that were rotated against each other opens what is new alone', () => {
    let opened = 0;
    const before = fromSorted(numbered(10_000));
    // Always at the end: the right side is rotated over and over, up to the top.
    const added = Array.from({ length: 12_000 }, (_, i) => entry(`z${i + 10_000}`));
    const after = added.reduce<Tree>((to, one) => insert(to, one), before);
    const watched = watching(() => opened++);

    expect(after?.entry.key).not.toBe(before?.entry.key);
    expect(visits(watched(before), watched(after))).toHaveLength(12_000);
    // The 12 000, and a path of about 14 nodes in either tree.
    expect(opened).toBeLessThan(12_100);
  });
});

/** Trees that tell when the sides of a node are looked at; what two trees share is shared by what is made of them. */
function watching(opened: () => void): (tree: Tree) => Tree {
  const made = new Map<Tree, Tree>([[undefined, undefined]]);
  const watched = (tree: Tree): Tree => {
    if (tree === undefined || made.has(tree)) return made.get(tree);
    const { key, entry: own, left, right, size } = tree;
    const twin = {
      key,
      entry: own,
      size,
      right: watched(right),
      get left() {
        opened();
        return watched(left);
      },
    };
    made.set(tree, twin);
    return twin;
  };
  return watched;
}
