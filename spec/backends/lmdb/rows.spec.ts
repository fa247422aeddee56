import { afterEach, describe, expect, test } from 'vitest';
import { refused } from '../../../src/conformance/waiting.js';
import { Folders } from './folders.js';
import { contents, faults, put, Tables, text } from './tables.js';

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
    // Read where it is, which for a large one is the file.
    expect(view.row('large', { values: false })).toMatchObject({ key: 'large', revision: 2, created: 2 });
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
