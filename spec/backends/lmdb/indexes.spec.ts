import { fc, test } from '@fast-check/vitest';
import { afterEach, describe, expect } from 'vitest';
import type { Batch, LogRecord, Row, View, Write } from '../../../src/backends/local/table.js';
import { Folders } from './folders.js';
import { faults, put, remove, Tables, utf8 } from './tables.js';

/** Batches of single writes: a key, and undefined to remove it or what it is bound to. */
type Wish = readonly [key: string, part: { readonly expires: number; readonly session: string } | undefined];
const histories: fc.Arbitrary<Wish[][]> = fc.array(
  fc.array(
    fc.tuple(
      fc.constantFrom('a', 'b', 'c/d', 'c/é'),
      fc.option(fc.record({ expires: fc.constantFrom(0, 5, 9), session: fc.constantFrom('', 'one', 'two') }), { nil: undefined }),
    ),
    { maxLength: 12 },
  ),
  { maxLength: 8 },
);

const folders = new Folders();
const tables = new Tables();
afterEach(async () => {
  await tables.end();
  folders.end();
});

describe('the indexes of an LMDB table', () => {
  test('expiries follow what is put over and removed', async () => {
    const table = await tables.open(folders.fresh());
    expect(table.view().nextExpiry()).toBeUndefined();
    await put(table, { late: '1' }, { expires: 300 });
    await put(table, { soon: '1', also: '1' }, { expires: 200 });
    expect(table.view().nextExpiry()).toBe(200);
    expect([...table.view().due(199, 9)]).toEqual([]);
    expect([...table.view().due(200, 9)]).toEqual(['also', 'soon']);
    expect([...table.view().due(300, 2)]).toEqual(['also', 'soon']);
    await put(table, { soon: '2' }, { expires: 400 });
    await put(table, { also: '2' });
    await remove(table, 'late');
    expect([...table.view().due(1e9, 9)]).toEqual(['soon']);
    expect(table.view().nextExpiry()).toBe(400);
    expect(faults(table)).toEqual([]);
  });

  test('a session owns what was written under it last', async () => {
    const table = await tables.open(folders.fresh());
    await put(table, { a: '1', b: '1' }, { session: 'one' });
    await put(table, { c: '1' }, { session: 'two' });
    await put(table, { b: '2' }, { session: 'two' });
    await put(table, { a: '2' }, { session: 'one' });
    expect([[...table.view().owned('one')], [...table.view().owned('two')], [...table.view().owned('three')]]).toEqual([
      ['a'],
      ['b', 'c'],
      [],
    ]);
    await put(table, { c: '3' });
    await remove(table, 'a');
    expect([[...table.view().owned('one')], [...table.view().owned('two')]]).toEqual([[], ['b']]);
    expect(faults(table)).toEqual([]);
  });

  test.prop([histories], { numRuns: 25 })('are what the rows say, whatever was written', async history => {
    const table = await tables.open(folders.fresh(), { history: 8 });
    try {
      for (const batch of history) await table.commit(view => batchOf(view, batch));
      expect(faults(table)).toEqual([]);
    } finally {
      await table.close();
    }
  });

  test('sessions are kept whole, and move neither revision nor log', async () => {
    const table = await tables.open(folders.fresh());
    const one = { id: 'one', ttl: 1500, deadline: 123.456, boot: 'this-boot' };
    const two = { id: 'two', ttl: 100, deadline: 7, boot: '' };
    await table.commit(() => ({
      writes: [
        { session: one, before: undefined },
        { session: two, before: undefined },
      ],
      log: [],
    }));
    await table.commit(() => ({ writes: [{ session: { ...one, deadline: 200 }, before: one }], log: [] }));
    expect(table.view().session('one')).toEqual({ ...one, deadline: 200 });
    expect([...table.view().sessions()]).toEqual([{ ...one, deadline: 200 }, two]);
    await table.commit(() => ({ writes: [{ endSession: one }], log: [] }));
    expect([table.view().session('one'), [...table.view().sessions()]]).toEqual([undefined, [two]]);
    expect([table.view().head, [...table.view().log(0)]]).toEqual([0, []]);
  });
});

function batchOf(view: View, wishes: readonly Wish[]): Batch {
  const rows = new Map<string, Row | undefined>();
  const writes: Write[] = [];
  const log: LogRecord[] = [];
  let revision = view.head;
  for (const [key, part] of wishes) {
    const before = rows.has(key) ? rows.get(key) : view.row(key);
    if (part === undefined && before === undefined) continue;
    revision++;
    const row = part && { key, value: utf8(`${revision}`), revision, created: before?.created ?? revision, ...part };
    writes.push(row === undefined ? { remove: before as Row } : { put: row, before });
    log.push({ revision, changes: [row === undefined ? { delete: key } : { put: key }] });
    rows.set(key, row);
  }
  return { writes, log };
}
