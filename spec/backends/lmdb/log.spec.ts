import { afterEach, describe, expect, test } from 'vitest';
import { Folders } from './folders.js';
import { faults, logRecords, put, putMany, remove, Tables } from './tables.js';

const folders = new Folders();
const tables = new Tables();
afterEach(async () => {
  await tables.end();
  folders.end();
});

describe('the log of an LMDB table', () => {
  test('tells what each transaction did, after any revision', async () => {
    const table = await tables.open(folders.fresh());
    await put(table, { a: '1', b: '2' });
    await remove(table, 'a');
    await table.commit(view => ({
      writes: [{ remove: view.row('b') as never }],
      log: [{ revision: 3, changes: [{ deletePrefix: 'b/' }, { delete: 'b' }] }],
    }));
    const records = [
      { revision: 1, changes: [{ put: 'a' }, { put: 'b' }] },
      { revision: 2, changes: [{ delete: 'a' }] },
      { revision: 3, changes: [{ deletePrefix: 'b/' }, { delete: 'b' }] },
    ];
    for (const after of [0, 1, 2, 3]) expect([...table.view().log(after)]).toEqual(records.slice(after));
    expect(faults(table)).toEqual([]);
  });

  test('gives each transaction of a batch its own record', async () => {
    const table = await tables.open(folders.fresh());
    await putMany(table, 500);
    for (const after of [0, 1, 17, 250, 499, 500]) {
      expect([...table.view().log(after)].map(record => record.revision)).toEqual(
        Array.from({ length: 500 - after }, (_, i) => after + 1 + i),
      );
    }
    expect(faults(table)).toEqual([]);
  });

  test('keeps one transaction of very many changes whole', async () => {
    const table = await tables.open(folders.fresh());
    const keys = Array.from({ length: 5000 }, (_, i) => `key-with-some-length/${i}`);
    await put(table, Object.fromEntries(keys.map(key => [key, 'v'])));
    await put(table, { after: 'v' });
    expect([...table.view().log(0)].map(({ changes }) => changes.length)).toEqual([5000, 1]);
    expect(faults(table)).toEqual([]);
  });

  test('is trimmed to its history and a little more, and says how far', async () => {
    const table = await tables.open(folders.fresh(), { history: 40 });
    for (let i = 0; i < 12; i++) {
      await putMany(table, 30);
      const { head, compacted } = table.view();
      expect(head - compacted).toBeGreaterThanOrEqual(Math.min(head, 40));
      // History, a quarter of it, and what shares a record with the oldest that must stay.
      expect(head - compacted).toBeLessThanOrEqual(40 + 10 + 60);
      expect(faults(table)).toEqual([]);
    }
    expect(table.view().compacted).toBeGreaterThan(200);
  });

  test('is trimmed by single transactions as well', async () => {
    const table = await tables.open(folders.fresh(), { history: 10 });
    for (let i = 0; i < 40; i++) await put(table, { [`k${i % 7}`]: `${i}` });
    const { head, compacted } = table.view();
    expect(head).toBe(40);
    expect(head - compacted).toBeGreaterThanOrEqual(10);
    expect(head - compacted).toBeLessThanOrEqual(13);
    expect(faults(table)).toEqual([]);
  });

  test('keeps its last transactions with the position of the store, and makes a record of those that fill it', async () => {
    const table = await tables.open(folders.fresh());
    for (let i = 0; i < 10; i++) await put(table, { [`key${i}`]: '1' });
    expect(logRecords(table)).toEqual([]);
    for (let i = 0; i < 500; i++) await put(table, { [`key${i % 7}`]: `${i}` });
    // 11 bytes each, of which 1900 are kept there.
    expect(logRecords(table).length).toBeGreaterThan(1);
    expect(logRecords(table).length).toBeLessThan(6);
    const revisions = Array.from({ length: 510 }, (_, i) => i + 1);
    for (const after of [0, 5, ...logRecords(table), 508, 509, 510]) {
      expect([...table.view().log(after)].map(({ revision }) => revision)).toEqual(revisions.slice(after));
    }
    expect(faults(table)).toEqual([]);
  });

  test('tells the same whatever the sizes of what was written, and however much of it is forgotten', async () => {
    const sizes = [1, 1, 150, 1, 30, 400, 2, 1, 1, 90, 1];
    for (const history of [1, 20, 400, 100_000]) {
      const table = await tables.open(folders.fresh(), { history });
      for (const [i, size] of sizes.entries()) {
        await putMany(table, size);
        if (i === 6) await table.compact();
        const { head, compacted } = table.view();
        expect(head - compacted).toBeGreaterThanOrEqual(i === 6 ? 0 : Math.min(history, size));
        for (const after of [compacted, Math.max(compacted, head - 1), head]) {
          expect([...table.view().log(after)].map(({ revision }) => revision)).toEqual(
            Array.from({ length: head - after }, (_, index) => after + 1 + index),
          );
        }
        expect(faults(table)).toEqual([]);
      }
    }
  });

  test('compact() forgets all of it, and goes on from there', async () => {
    const table = await tables.open(folders.fresh());
    await putMany(table, 300);
    await table.compact();
    expect([table.view().head, table.view().compacted, [...table.view().log(0)]]).toEqual([300, 300, []]);
    await put(table, { a: '1' });
    expect([...table.view().log(300)]).toEqual([{ revision: 301, changes: [{ put: 'a' }] }]);
    await table.compact();
    await table.compact();
    expect(table.view().compacted).toBe(301);
    expect(faults(table)).toEqual([]);
  });
});
