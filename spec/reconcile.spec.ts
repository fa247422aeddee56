import { describe, expect, test } from 'vitest';
import type { Change } from '../src/driver.js';
import type { Entry } from '../src/entry.js';
import { applyChanges, emptySnapshot, reconcile, type Snapshot, snapshotOf, treeOf } from '../src/snapshot.js';

function entry(key: string, value = key, revision = 1n): Entry {
  return { key, value: new TextEncoder().encode(value), revision, created: 1n, leased: false };
}

function snapshot(...keys: string[]): Snapshot {
  return snapshotOf(
    '',
    keys.map(key => entry(key)),
    7n,
  );
}

function numbered(n: number, directory = 'dir'): Entry[] {
  return Array.from({ length: n }, (_, i) => entry(`${directory}/${String(i).padStart(6, '0')}`));
}

describe('reconcile', () => {
  test('gives the very same snapshot when nothing changed, whatever the revision', () => {
    const before = snapshot('a', 'b', 'c');

    expect(reconcile(before, [entry('c'), entry('a'), entry('b')], 9n)).toBe(before);
    expect(reconcile(emptySnapshot('', 1n), [], 2n).revision).toBe(1n);
  });

  test('keeps the entry objects that are the same write, and only those', () => {
    const before = snapshotOf('', numbered(100), 1n);
    const moved = entry('dir/000002', 'dir/000002', 2n);
    const after = reconcile(before, [...numbered(2), moved, ...numbered(100).slice(3)], 2n);

    expect(after.revision).toBe(2n);
    expect(after.get('dir/000001')).toBe(before.get('dir/000001'));
    expect(after.get('dir/000002')).toBe(moved);
  });

  test.each([
    ['few', 95],
    ['many', 10],
  ])('ends in the new entries when %s are kept', (_, kept) => {
    const before = snapshotOf('dir', numbered(100), 1n);
    const target = [...numbered(kept), entry('dir/new'), entry('dir/000', 'other')];
    const after = reconcile(before, target, 2n);

    expect([...after]).toEqual([...snapshotOf('dir', target, 2n)]);
    expect(after.get('dir/000000')).toBe(before.get('dir/000000'));
    expect([...before]).toEqual(numbered(100));
  });

  test('few differences leave the rest of the tree shared', () => {
    const before = snapshotOf('dir', numbered(1000), 1n);
    const after = reconcile(before, [...numbered(999), entry('dir/000999', 'new', 2n)], 2n);

    expect(treeOf(after)?.left).toBe(treeOf(before)?.left);
  });
});

describe('applyChanges', () => {
  const before = snapshot('a', 'dir/x', 'dir/y', 'dirt');

  test('puts and deletes in order', () => {
    const after = applyChanges(before, [{ put: entry('b') }, { delete: 'b' }, { delete: 'a' }, { put: entry('a', 'new') }], 8n);

    expect(after.toObject()).toEqual({ a: 'new', 'dir/x': 'dir/x', 'dir/y': 'dir/y', dirt: 'dirt' });
    expect(after.revision).toBe(8n);
  });

  test('replace concerns what is below the prefix and nothing else', () => {
    const after = applyChanges(before, [{ replace: 'dir/', entries: [entry('dir/z'), entry('dir/x')] }], 8n);

    expect([...after.keys()]).toEqual(['a', 'dir/x', 'dir/z', 'dirt']);
    expect(after.get('dir/x')).toBe(before.get('dir/x'));
    expect([...applyChanges(before, [{ replace: 'dir/', entries: [] }], 8n).keys()]).toEqual(['a', 'dirt']);
    expect([...applyChanges(before, [{ replace: '', entries: [entry('q')] }], 8n).keys()]).toEqual(['q']);
  });

  test.each<[string, Change[]]>([
    ['no changes', []],
    ['an equal put', [{ put: entry('a') }]],
    ['a delete of nothing', [{ delete: 'nothing' }]],
    ['an equal replace', [{ replace: 'dir/', entries: [entry('dir/y'), entry('dir/x')] }]],
    ['changes that undo each other', [{ put: entry('a', 'other', 2n) }, { delete: 'dirt' }, { put: entry('dirt') }, { put: entry('a') }]],
  ])('%s gives the very same snapshot', (_, changes) => {
    expect(applyChanges(before, changes, 9n)).toBe(before);
  });

  test('a replace with an entry outside of it is a defect of the driver', () => {
    const stray = [{ replace: 'dir/', entries: [entry('a')] }];

    expect(() => applyChanges(before, stray, 8n)).toThrow(
      expect.objectContaining({ code: 'internal', message: 'the driver replaced "dir/" with an entry outside of it' }),
    );
  });
});
