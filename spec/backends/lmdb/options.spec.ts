import { afterEach, describe, expect, test } from 'vitest';
import { resolve } from 'node:path';
import { firstValueFrom } from 'rxjs';
import { parseAddress } from '../../../src/address.js';
import { lmdb, type LmdbOptions } from '../../../src/backends/lmdb/index.js';
import { settingsOf } from '../../../src/backends/lmdb/options.js';
import { fromAddress } from '../../../src/backends/lmdb/url.js';
import { createStore } from '../../../src/store.js';
import { Folders } from './folders.js';
import { Processes } from './processes.js';

const folders = new Folders();
const processes = new Processes();
afterEach(async () => {
  await processes.end();
  folders.end();
});

function message(options: unknown): string {
  try {
    lmdb(options as LmdbOptions);
  } catch (error) {
    return (error as Error).message;
  }
  return 'taken';
}

describe('options of lmdb()', () => {
  test('that nobody knows are refused with the nearest', () => {
    expect(message({ path: 'x', histroy: 5 })).toBe('unknown option "histroy" of lmdb(): did you mean "history"?');
    expect(message({ folder: 'x' })).toBe('unknown option "folder" of lmdb(): did you mean "path"?');
  });

  test.each([[undefined], [{}], [{ path: '' }], [{ path: 5 }], [{ path: undefined }]])('%j needs a path', options => {
    expect(message(options)).toContain("lmdb({ path: './data' })");
  });

  test.each([0, -1, 1.5, Number.NaN, Infinity, '5'])('history %s is refused', history => {
    expect(message({ path: 'x', history })).toContain('history of lmdb()');
  });

  test('root and rawRoot are one or the other, in well-formed text', () => {
    expect(message({ path: 'x', root: 'a', rawRoot: 'b' })).toContain('not both');
    expect(message({ path: 'x', root: 'a//b' })).toContain('empty segment');
    expect(message({ path: 'x', rawRoot: '\ud800' })).toContain('surrogate');
    expect(message({ path: 'x', rawRoot: 'a/~rxkv/b' })).toContain('reserved');
    expect(message({ path: 'x', rawRoot: 'x'.repeat(1331) })).toContain('over the maximum of 1330');
    expect([
      settingsOf({ path: 'x', root: '/a/b/' }).root,
      settingsOf({ path: 'x', rawRoot: 'a-' }).root,
      settingsOf({ path: 'x' }).root,
    ]).toEqual(['a/b/', 'a-', '']);
  });

  test('a path is taken from the current directory at the call, and history has a default', () => {
    expect(settingsOf({ path: './x' })).toEqual({ path: resolve('x'), root: '', history: 100_000 });
  });

  test('a root over 946 bytes takes from the length of keys', () => {
    expect(lmdb({ path: 'x' }).capabilities.maxKey).toBe(1024);
    expect(lmdb({ path: 'x', root: 'r'.repeat(945) }).capabilities.maxKey).toBe(1024);
    expect(lmdb({ path: 'x', root: 'r'.repeat(999) }).capabilities.maxKey).toBe(970);
    expect(lmdb({ path: 'x', rawRoot: 'é'.repeat(600) }).capabilities.maxKey).toBe(770);
  });

  test('what is then too long is invalid in every call, directories and steps of a transaction too', async () => {
    const store = createStore(lmdb({ path: folders.fresh(), rawRoot: 'r'.repeat(1300) }));
    const key = 'k'.repeat(1000);
    for (const call of [
      () => store.get(key),
      () => store.update(key, () => undefined),
      () => store.list(key),
      () => store.children(key),
      () => store.deleteTree(key),
      () => firstValueFrom(store.watchTree$(key)),
      () => store.transaction({ ops: [{ delete: key }] }),
      () => store.transaction({ ops: [{ deleteTree: key }] }),
      () => store.transaction({ checks: [{ key, entry: undefined }], ops: [] }),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining('maximum of 670') });
    await store.close();
  });

  test('come from a URL as well', () => {
    expect(fromAddress(parseAddress('lmdb:./data?root=my-app&history=50')).name).toBe('lmdb');
    expect(() => fromAddress(parseAddress('lmdb:./data?history=many'))).toThrow('history');
    expect(() => fromAddress(parseAddress('lmdb:./data?colour=blue'))).toThrow('unknown option "colour"');
    expect(() => fromAddress(parseAddress('lmdb://host/data'))).toThrow('has no host');
    expect(() => fromAddress(parseAddress('lmdb:'))).toThrow('needs a path');
  });
});

describe('the package lmdb', () => {
  test('is named where it is missing, at the first call and not at the import', async () => {
    const child = processes.start('without-lmdb.mjs', { path: folders.fresh() });
    await child.finished();
    expect(child.lines).toEqual([
      { made: 'lmdb' },
      { refused: 'unsupported', message: 'rxkv/lmdb needs the package lmdb: npm install lmdb' },
    ]);
  });

  test('that does not run on this machine is another error', async () => {
    const child = processes.start('without-lmdb.mjs', { path: folders.fresh(), broken: true });
    await child.finished();
    expect(child.lines[1]).toEqual({ refused: 'unsupported', message: expect.stringContaining('could not be loaded on this machine') });
  });
});
