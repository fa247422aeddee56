import { spawnSync } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { mapSize } from '../../../src/backends/lmdb/map-size.js';
import { Folders } from './folders.js';
import { put, Tables } from './tables.js';

const folders = new Folders();
const tables = new Tables();
afterEach(async () => {
  await tables.end();
  folders.end();
});

test.each([
  [Infinity, 2 ** 36],
  [2 ** 38, 2 ** 36],
  [2 ** 38 - 1, 2 ** 35],
  [20e9, 2 ** 32],
  [2 ** 32, 2 ** 30],
  [2 ** 32 - 1, undefined],
  [0, undefined],
])('of %d bytes of address space a folder has %d', (limit, bytes) => {
  expect(mapSize(limit).mapSize).toBe(bytes);
});

test('the map is as large from the first on, so that no growth of the file makes another one', async () => {
  const table = await tables.open(folders.fresh());
  const native = table.native as { getStats(): { mapSize: number } };
  expect(native.getStats().mapSize).toBe(2 ** 36);
  await put(table, { large: 'x'.repeat(2_000_000) });
  expect(native.getStats().mapSize).toBe(2 ** 36);
});

test.runIf(process.platform === 'linux').each([6e6, 40e6])('a process that may have %d kB of addresses uses a folder all the same', kB => {
  const script = new URL('passer.mjs', import.meta.url).pathname;
  const command = 'ulimit -v "$1" && exec "$2" "$3" "$4"';
  const argument = JSON.stringify({ path: folders.fresh() });
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command, 'sh', String(kB), process.execPath, script, argument], {
    encoding: 'utf8',
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '{"read":"1"}\n', stderr: '' });
});
