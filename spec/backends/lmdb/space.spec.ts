import fs, { type StatsFs } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { neededBytes } from '../../../src/backends/lmdb/space.js';
import { refused } from '../../../src/conformance/waiting.js';
import { Folders } from './folders.js';
import { contents, put, remove, Tables } from './tables.js';

const MiB = 2 ** 20;
const folders = new Folders();
const tables = new Tables();
afterEach(async () => {
  vi.restoreAllMocks();
  await tables.end();
  folders.end();
});

/** Has the disk leave that much, at a time at which nothing holds that was read before; how often it is asked. */
function leave(bytes: number): () => number {
  const later = performance.now() + 60_000;
  vi.spyOn(performance, 'now').mockReturnValue(later);
  const asked = vi.spyOn(fs, 'statfsSync');
  asked.mockReturnValue({ bavail: Math.floor(bytes / 4096), bsize: 4096 } as StatsFs & fs.BigIntStatsFs);
  asked.mockClear();
  return () => asked.mock.calls.length;
}

describe('a disk with plenty of room', () => {
  /** How often the disk is asked on the way of a put, and then how often until the put is there. */
  async function asking(asked: () => number, writing: () => Promise<void>): Promise<[before: number, meanwhile: number]> {
    const [count, written] = [asked(), writing()];
    const before = asked() - count;
    await written;
    return [before, asked() - count - before];
  }

  test('is asked while the batch before is under way, and not again for the next', async () => {
    const table = await tables.open(folders.fresh());
    const asked = leave(1024 * MiB);
    const found = [];
    for (const value of ['1', '2', '3', '4']) found.push(await asking(asked, () => put(table, { a: value })));
    // The first follows none, so nobody knows that there will be a second.
    expect(found).toEqual([
      [1, 0],
      [1, 1],
      [0, 1],
      [0, 1],
    ]);
  });

  test('is asked again when some time has passed', async () => {
    const table = await tables.open(folders.fresh());
    const asked = leave(1024 * MiB);
    for (const value of ['1', '2', '3']) await put(table, { a: value });
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 11);
    expect(await asking(asked, () => put(table, { a: '4' }))).toEqual([1, 0]);
  });

  test('is asked again when what the batch before may have taken leaves less than plenty', async () => {
    const table = await tables.open(folders.fresh());
    const asked = leave(300 * MiB);
    for (const value of ['1', '2', '3']) await put(table, { a: value });
    expect(await asking(asked, () => put(table, { a: '' }, { bytes: new Uint8Array(8 * MiB) }))).toEqual([1, 1]);
    expect(await asking(asked, () => put(table, { a: '5' }))).toEqual([1, 1]);
  });
});

describe('a disk that is nearly full (P1)', () => {
  test('refuses what puts, before LMDB sees it, and says how much is free', async () => {
    const table = await tables.open(folders.fresh());
    await put(table, { a: '1' });
    leave(15 * MiB);
    const error = await refused(() => put(table, { b: '1' }), 'unavailable', 'a put');
    expect(error.message).toMatch(/is full: 15\.0 MiB are free, and this write needs 16\.0 MiB$/);
    expect([error.outcome, error.transient]).toEqual([undefined, true]);
    expect([table.view().head, contents(table.view())]).toEqual([1, ['a=1']]);
  });

  test('still lets sessions be renewed and keys be removed, and takes puts when there is room again', async () => {
    const table = await tables.open(folders.fresh());
    await put(table, { a: '1', b: '1' });
    leave(12 * MiB);
    const session = { id: 'one', ttl: 1, deadline: 1, boot: '' };
    await table.commit(() => ({ writes: [{ session, before: undefined }], log: [] }));
    await remove(table, 'a');
    leave(7 * MiB);
    await refused(() => remove(table, 'b'), 'unavailable', 'a removal');
    vi.restoreAllMocks();
    await put(table, { c: '1' });
    expect(contents(table.view())).toEqual(['b=1', 'c=1']);
  });

  test('takes puts again into what removing freed in the file, though the disk has no more than before', async () => {
    const table = await tables.open(folders.fresh());
    const keys = Array.from({ length: 5 }, (_, i) => `k${i}`);
    for (const key of keys) await put(table, { [key]: '' }, { bytes: new Uint8Array(2 * MiB) });
    leave(15 * MiB);
    await refused(() => put(table, { a: '1' }), 'unavailable', 'a put');
    await remove(table, ...keys);
    await put(table, { a: '1' });
    expect(contents(table.view())).toEqual(['a=1']);
    leave(8 * MiB);
    await refused(() => put(table, { b: '1' }), 'unavailable', 'a put that needs the reserve');
  });

  test('refuses a value that would fill it, for four times its size', async () => {
    const table = await tables.open(folders.fresh());
    leave(30 * MiB);
    await refused(() => put(table, { large: '' }, { bytes: new Uint8Array(4 * MiB) }), 'unavailable', 'a put of 4 MiB');
    await put(table, { small: '' }, { bytes: new Uint8Array(3 * MiB) });
  });

  test('refuses a new database, of which LMDB would die', async () => {
    leave(MiB / 2);
    await refused(() => tables.open(folders.fresh()), 'unavailable', 'opening');
  });

  test('that does not tell how full it is takes everything', async () => {
    const table = await tables.open(folders.fresh());
    vi.spyOn(fs, 'statfsSync').mockImplementation(() => {
      throw new Error('ENOSYS');
    });
    await put(table, { a: '1' });
    expect(contents(table.view())).toEqual(['a=1']);
  });

  test('counts a removed key as a page, up to those of a whole range', () => {
    const row = { key: 'a', value: new Uint8Array(9), revision: 1, created: 1, expires: 0, session: '' };
    const removing = (count: number): number => neededBytes({ writes: Array.from({ length: count }, () => ({ remove: row })), log: [] });
    expect(removing(10) - removing(0)).toBe(40_960);
    expect(removing(100_000)).toBe(removing(1024));
  });
});
