import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Folders } from './folders.js';
import { type Line, Processes } from './processes.js';
import { put, Tables } from './tables.js';

const folders = new Folders();
const tables = new Tables();
const processes = new Processes();
afterEach(async () => {
  await Promise.all([tables.end(), processes.end()]);
  folders.end();
});

/** What a process says that opens the folders one after the other: LMDB would kill it for most of what is in there. */
async function opening(paths: readonly string[], user?: number): Promise<readonly Line[]> {
  const child = processes.start('open.mjs', { paths, user });
  await child.finished();
  return child.lines;
}

/** A folder with a real database of some size in it, closed again. */
async function database(): Promise<string> {
  const folder = folders.fresh();
  const table = await tables.open(folder);
  await put(table, Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`key${i}`, 'value'.repeat(20)])));
  await table.close();
  return folder;
}

describe('a data file that LMDB would die of (P4)', () => {
  const garbage = new Uint8Array(65_536).map((_, i) => (i * 2654435761) >>> 13);

  test('and that was never a database is refused in words', async () => {
    const contents = [garbage, new Uint8Array(65_536), 'This is a text, and a long one.\n'.repeat(1000), 'x'];
    const paths = contents.map(content => {
      const folder = folders.fresh();
      writeFileSync(join(folder, 'data.mdb'), content);
      return folder;
    });
    const words = ['is no LMDB database', 'is no LMDB database', 'is no LMDB database', 'is too short to be an LMDB database'];
    expect(await opening(paths)).toEqual(
      words.map((word, i) => ({ refused: 'invalid', message: `${join(paths[i] as string, 'data.mdb')} ${word}` })),
    );
  });

  test('and that once was a database is refused in words', async () => {
    const broken: readonly (readonly [string, (file: string) => void])[] = [
      ['is truncated', file => truncateSync(file, statSync(file).size / 2)],
      ['is truncated', file => truncateSync(file, statSync(file).size - 4096)],
      ['data format 1', file => overwrite(file, 28, [1, 0, 0, 0])],
      ['second meta page', file => overwrite(file, 4096 + 24, [0, 0, 0, 0])],
      ['page size', file => overwrite(file, 48, [1, 2, 3, 4])],
    ];
    const paths = await Promise.all(broken.map(database));
    broken.forEach(([, breakIt], i) => breakIt(join(paths[i] as string, 'data.mdb')));
    expect(await opening(paths)).toEqual(broken.map(([words]) => ({ refused: 'invalid', message: expect.stringContaining(words) })));
  });
});

describe('a folder that LMDB cannot open', () => {
  test('because a folder has the name of a file of its, is refused in words', async () => {
    const paths = ['data.mdb', 'lock.mdb'].map(name => join(folders.fresh(), name));
    for (const path of paths) mkdirSync(path);
    const message = (path: string): string => `${path} is a folder or a device, and LMDB keeps a file there`;
    expect(await opening(paths.map(path => dirname(path)))).toEqual(paths.map(path => ({ refused: 'invalid', message: message(path) })));
  });

  test('because it is a file, or below one, is refused in words', async () => {
    const file = join(folders.fresh(), 'file');
    writeFileSync(file, '');
    const paths = [file, join(file, 'below')];
    const message = (path: string): string => `${path} is no folder, and path names the folder of the database`;
    expect(await opening(paths)).toEqual(paths.map(path => ({ refused: 'invalid', message: message(path) })));
  });

  test('for want of a permission is denied, and the process lives', async () => {
    const spoilers: readonly ((folder: string) => void)[] = [
      folder => chmodSync(join(folder, 'data.mdb'), 0o000),
      folder => chmodSync(join(folder, 'data.mdb'), 0o444),
      folder => chmodSync(join(folder, 'lock.mdb'), 0o000),
      folder => rmSync(join(folder, 'lock.mdb')),
    ];
    const paths = await Promise.all(spoilers.map(database));
    spoilers.forEach((spoil, i) => {
      const folder = paths[i] as string;
      chmodSync(join(folder, 'data.mdb'), 0o666);
      chmodSync(join(folder, 'lock.mdb'), 0o666);
      spoil(folder);
      chmodSync(folder, 0o555);
    });
    // For root no file is unreadable.
    const answers = await opening(paths, process.getuid?.() === 0 ? 65_534 : undefined);
    for (const folder of paths) chmodSync(folder, 0o700);
    expect(answers).toEqual(
      paths.map(folder => ({ refused: 'denied', message: `${folder} must be readable and writable for this process` })),
    );
  });
});

describe('a data file in good health', () => {
  test('opens: empty, opened by another process, or beside a lock file of garbage', async () => {
    const [empty, open, garbled] = [folders.fresh(), folders.fresh(), await database()];
    writeFileSync(join(empty, 'data.mdb'), '');
    await put(await tables.open(open), { a: '1' });
    writeFileSync(join(garbled, 'lock.mdb'), new Uint8Array(9000).fill(77));
    expect(await opening([empty, open, garbled])).toEqual([
      { opened: 0, rows: 0 },
      { opened: 1, rows: 1 },
      { opened: 1, rows: 2000 },
    ]);
  });

  test('opens though it ends before its last page, because that was freed unwritten', async () => {
    const folder = await database();
    const file = join(folder, 'data.mdb');
    const table = await tables.open(folder);
    // What is put and removed in one batch leaves pages that were counted and never written.
    await table.commit(view => {
      const revision = view.head + 1;
      const rows = Array.from({ length: 20 }, (_, i) => ({
        key: `x${i}`,
        value: new Uint8Array(100_000),
        revision,
        created: revision,
        expires: 0,
        session: '',
      }));
      return { writes: [...rows.map(row => ({ put: row, before: undefined })), ...rows.map(row => ({ remove: row }))], log: [] };
    });
    await table.close();
    expect(lastPage(file)).toBeGreaterThan(statSync(file).size / 4096);
    expect(await opening([folder])).toEqual([{ opened: 1, rows: 2000 }]);
    // And is still told from one that lost what it needs.
    truncateSync(file, statSync(file).size / 2);
    expect(await opening([folder])).toEqual([{ refused: 'invalid', message: expect.stringContaining('is truncated') }]);
  });
});

function overwrite(file: string, position: number, bytes: readonly number[]): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Buffer.from(bytes), 0, bytes.length, position);
  closeSync(descriptor);
}

/** As the newer of the two meta pages has it. */
function lastPage(file: string): number {
  const bytes = readFileSync(file);
  const metas = [0, 4096].map(at => ({ last: Number(bytes.readBigUInt64LE(at + 144)), transaction: bytes.readBigUInt64LE(at + 152) }));
  return metas.reduce((a, b) => (a.transaction >= b.transaction ? a : b)).last;
}
