import { once } from 'node:events';
import { mkdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { fc, test } from '@fast-check/vitest';
import { afterEach, describe, expect } from 'vitest';
import { refused, until } from '../../../src/conformance/waiting.js';
import type { Batch, LogRecord, Row, View, Write } from '../../../src/backends/local/table.js';
import { Folders } from './folders.js';
import { claimFor, contents, faults, intrude, put, remove, Tables, text, utf8 } from './tables.js';

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

describe('rows of an LMDB table', () => {
  test('come in the order of their UTF-8, from a key on and before another', async () => {
    const table = await tables.open(folders.fresh());
    // In JavaScript's order the astral letter comes before U+FFFD, in UTF-8 after it.
    await put(table, { b: '1', 'a/x': '2', a: '3', '\ufffd': '4', '\u{1d4b3}': '5', 'a-b': '6' });
    const view = table.view();
    expect(contents(view)).toEqual(['a=3', 'a-b=6', 'a/x=2', 'b=1', '\ufffd=4', '\u{1d4b3}=5']);
    expect([...view.rows('a/', 'a0')].map(row => row.key)).toEqual(['a/x']);
    expect([...view.rows('b', undefined)].map(row => row.key)).toEqual(['b', '\ufffd', '\u{1d4b3}']);
  });

  test('give back the very bytes, empty and large ones too, in arrays of their own', async () => {
    const table = await tables.open(folders.fresh());
    const large = new Uint8Array(3 * 2 ** 20).map((_, i) => i % 251);
    await put(table, { empty: '' });
    await put(table, { large: '' }, { bytes: large });
    await put(table, { every: '' }, { bytes: new Uint8Array(256).map((_, i) => i) });
    const view = table.view();
    const [empty, every, big] = [...view.rows('', undefined)].map(row => row.value);
    expect(empty).toEqual(new Uint8Array(0));
    expect(
      Buffer.compare(
        every as Uint8Array,
        new Uint8Array(256).map((_, i) => i),
      ),
    ).toBe(0);
    expect(Buffer.compare(big as Uint8Array, large)).toBe(0);
    expect(Buffer.compare(view.row('large')?.value as Uint8Array, large)).toBe(0);
    for (const value of [empty, every, big, view.row('large')?.value]) expect(Object.getPrototypeOf(value)).toBe(Uint8Array.prototype);
  });

  test('read one after the other keep their own bytes (P9)', async () => {
    const table = await tables.open(folders.fresh());
    await put(table, { a: 'first', b: 'other' });
    const view = table.view();
    const a = view.row('a');
    const b = view.row('b');
    const [c] = view.rows('a', undefined);
    view.row('b');
    expect([a, b, c].map(row => text(row?.value as Uint8Array))).toEqual(['first', 'other', 'first']);
    a?.value.fill(0);
    expect(text(table.view().row('a')?.value as Uint8Array)).toBe('first');
  });

  test('without values have everything else', async () => {
    const table = await tables.open(folders.fresh());
    await put(table, { a: 'value' }, { expires: 7, session: 'one' });
    const [row] = table.view().rows('', undefined, { values: false });
    expect(row).toEqual({ key: 'a', value: new Uint8Array(0), revision: 1, created: 1, expires: 7, session: 'one' });
  });

  test('may have keys of 1970 bytes, with a ttl and a session; one byte more is refused and nothing of it is written', async () => {
    const table = await tables.open(folders.fresh());
    const long = 'é'.repeat(985);
    await put(table, { [long]: 'v' }, { expires: 5, session: 'one' });
    expect([table.view().row(long)?.key, [...table.view().due(5, 1)], [...table.view().owned('one')]]).toEqual([long, [long], [long]]);
    await refused(() => put(table, { before: '1', [`${long}x`]: '2' }), 'invalid', 'a key of 1971 bytes');
    expect(table.view().head).toBe(1);
    expect(table.view().row(`${long}x`)).toBeUndefined();
    expect(table.view().row('x'.repeat(5000))).toBeUndefined();
    expect(faults(table)).toEqual([]);
  });

  test('a view whose iteration is left early leaves nothing behind', async () => {
    const table = await tables.open(folders.fresh());
    await put(table, Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, 'v'])));
    // P16: 126 snapshots are all that LMDB has by default, over all processes.
    for (let i = 0; i < 2000; i++) {
      for (const row of table.view().rows('', undefined)) {
        expect(row.revision).toBe(1);
        break;
      }
    }
    await put(table, { k0: 'w' });
    expect(table.view().row('k0')?.revision).toBe(2);
  });

  test('200 lists at once are one state each (P16)', async () => {
    const table = await tables.open(folders.fresh());
    await put(table, Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, 'v'])));
    const lists = await Promise.all(Array.from({ length: 200 }, async () => contents(table.view()).length));
    expect(new Set(lists)).toEqual(new Set([100]));
  });
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
    await commitMany(table.commit.bind(table), 500);
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
      await commitMany(table.commit.bind(table), 30);
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

  test('compact() forgets all of it, and goes on from there', async () => {
    const table = await tables.open(folders.fresh());
    await commitMany(table.commit.bind(table), 300);
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

describe('a commit to an LMDB table', () => {
  test('that prepares nothing writes nothing', async () => {
    const table = await tables.open(folders.fresh());
    await table.commit(() => undefined);
    await table.commit(() => ({ writes: [], log: [] }));
    expect(table.view().head).toBe(0);
  });

  test('rejects with what its preparation throws, and nothing of it is written (P6)', async () => {
    const table = await tables.open(folders.fresh());
    const reason = new Error('the reason');
    await expect(
      table.commit(() => {
        throw reason;
      }),
    ).rejects.toBe(reason);
    const gap = (view: View): Batch => ({
      writes: [{ put: { key: 'a', value: utf8('1'), revision: 5, created: 5, expires: 0, session: '' }, before: undefined }],
      log: [{ revision: view.head + 2, changes: [{ put: 'a' }] }],
    });
    await refused(() => table.commit(gap), 'internal', 'a revision that cannot follow');
    expect([table.view().head, contents(table.view())]).toEqual([0, []]);
  });

  test('is seen by a view in the same turn, whoever wrote it', async () => {
    const folder = folders.fresh();
    const [one, other] = [await tables.open(folder), await tables.open(folder)];
    for (let i = 1; i <= 20; i++) {
      await put(i % 2 === 0 ? one : other, { a: `${i}` });
      expect([contents(one.view()), contents(other.view())]).toEqual([[`a=${i}`], [`a=${i}`]]);
    }
  });

  test('is decided anew when a session was written in between, though the revision stands', async () => {
    const table = await tables.open(folders.fresh());
    const seen: boolean[] = [];
    await table.commit(view => {
      seen.push(view.session('one') !== undefined);
      if (seen.length === 1) intrude(table, { id: 'one', ttl: 1, deadline: 1, boot: '' });
      return putting(view, 'a', String(seen.at(-1)));
    });
    expect([seen, contents(table.view())]).toEqual([[false, true], ['a=true']]);
  });

  test('that loses every race takes the lock, and is decided under it', async () => {
    const table = await tables.open(folders.fresh());
    let runs = 0;
    await table.commit(view => {
      if (++runs <= 6) intrude(table);
      return putting(view, 'a', `${runs}`);
    });
    expect([runs, contents(table.view()), table.view().head]).toEqual([7, ['a=7'], 1]);
    expect(faults(table)).toEqual([]);
  });

  test('that is refused under the lock leaves nothing', async () => {
    const table = await tables.open(folders.fresh());
    const refusal = new Error('refused at last');
    let runs = 0;
    await expect(
      table.commit(view => {
        if (++runs > 6) throw refusal;
        intrude(table);
        return putting(view, 'a', '1');
      }),
    ).rejects.toBe(refusal);
    expect([runs, contents(table.view())]).toEqual([7, []]);
    await put(table, { b: '1' });
    expect(faults(table)).toEqual([]);
  });
});

describe('a folder of an LMDB table', () => {
  test('is made for its owner only, and may have a dot in its name (P11)', async () => {
    const folder = join(folders.fresh(), 'deep', 'app.v1.db');
    const table = await tables.open(folder);
    await put(table, { a: '1' });
    expect(statSync(folder).isDirectory()).toBe(true);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'data.mdb')).size).toBeGreaterThan(0);
  });

  test('is one store by whatever path it is opened, and closing one table leaves the others working', async () => {
    const folder = folders.fresh();
    mkdirSync(join(folder, 'real'));
    symlinkSync(join(folder, 'real'), join(folder, 'link'));
    const [one, other] = [await tables.open(join(folder, 'real')), await tables.open(join(folder, 'link'))];
    await Promise.all(Array.from({ length: 50 }, (_, i) => put(i % 2 === 0 ? one : other, { [`k${i}`]: 'v' })));
    expect(contents(one.view())).toEqual(contents(other.view()));
    expect([one.view().head, contents(one.view()).length]).toEqual([50, 50]);
    await one.close();
    await put(other, { after: '1' });
    expect(other.view().row('after')?.revision).toBe(51);
    const again = await tables.open(join(folder, 'real'));
    expect(faults(again)).toEqual([]);
  });

  test('is shared with a worker thread, also with one that is terminated while it writes', async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    const worker = new Worker(new URL('writer.mjs', import.meta.url), {
      argv: [JSON.stringify({ path: folder, keys: 10, inFlight: 20, name: 'worker' })],
      stdin: true,
      stdout: true,
    });
    await until(() => table.view().head > 200, 'the worker to write');
    await put(table, { mine: '1' });
    expect(table.view().row('mine')).toBeDefined();
    await Promise.all([worker.terminate(), once(worker, 'exit')]);
    await put(table, { mine: '2' });
    expect(text(table.view().row('mine')?.value as Uint8Array)).toBe('2');
    expect(faults(table)).toEqual([]);
  });

  test('of a newer schema is refused in words, and left as it is', async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    await put(table, { a: '1' });
    await claimFor(table, 2);
    await table.close();
    const error = await refused(() => tables.open(folder), 'unsupported', 'a newer schema');
    expect(error.message).toContain(folder);
    expect(error.message).toContain('schema 2');
  });
});

describe('a closed LMDB table', () => {
  test('refuses every call with closed; closing again is harmless', async () => {
    const table = await tables.open(folders.fresh());
    const written = put(table, { a: '1' });
    await written;
    await Promise.all([table.close(), table.close()]);
    expect(() => table.view()).toThrow(expect.objectContaining({ code: 'closed' }));
    await refused(() => put(table, { b: '1' }), 'closed', 'a commit after close');
    await refused(() => table.compact(), 'closed', 'compact after close');
  });

  test('has written what was under way, for whoever opens it next', async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    const writing = put(table, { a: '1' });
    await table.close();
    await writing;
    expect(contents((await tables.open(folder)).view())).toEqual(['a=1']);
  });
});

/** One batch of that many transactions. */
function commitMany(commit: (prepare: (view: View) => Batch) => Promise<void>, count: number): Promise<void> {
  return commit(view => {
    const writes: Write[] = [];
    const log: LogRecord[] = [];
    for (let i = 0; i < count; i++) {
      const revision = view.head + 1 + i;
      const key = `key${i}`;
      const before = view.row(key);
      writes.push({
        put: { key, value: utf8(`${revision}`), revision, created: before?.created ?? revision, expires: 0, session: '' },
        before,
      });
      log.push({ revision, changes: [{ put: key }] });
    }
    return { writes, log };
  });
}

function putting(view: View, key: string, value: string): Batch {
  const revision = view.head + 1;
  const before = view.row(key);
  const row = { key, value: utf8(value), revision, created: before?.created ?? revision, expires: 0, session: '' };
  return { writes: [{ put: row, before }], log: [{ revision, changes: [{ put: key }] }] };
}

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
