import { createHash } from 'node:crypto';
import fs, {
  appendFileSync,
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  type StatsFs,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createStore } from '../../../src/index.js';
import { inspect, type Inspection, lmdb } from '../../../src/backends/lmdb/index.js';
import { refused, until } from '../../../src/conformance/waiting.js';
import { Folders } from './folders.js';
import { type Line, Processes } from './processes.js';
import { headBytes, headKey } from '../../../src/backends/lmdb/layout.js';
import { noTail } from '../../../src/backends/lmdb/log.js';
import { claimFor, fillWithOldSchema, put, putMany, remove, Tables } from './tables.js';

const folders = new Folders();
const tables = new Tables();
const processes = new Processes();
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all([tables.end(), processes.end()]);
  folders.end();
});

/** A folder with a database that has pages of every kind: branches, large values, indexes, freed ones. */
async function database(): Promise<string> {
  const folder = folders.fresh();
  const table = await tables.open(folder);
  await putMany(table, 1500);
  await put(table, { ttl: 'x', other: 'y' }, { expires: Date.now() + 3_600_000 });
  await put(table, { large: '' }, { bytes: new Uint8Array(30_000).fill(7) });
  await remove(table, ...Array.from({ length: 300 }, (_, i) => `key${i}`));
  await table.close();
  return folder;
}

function withData(content: string | Uint8Array): string {
  const folder = folders.fresh();
  writeFileSync(join(folder, 'data.mdb'), content);
  return folder;
}

function overwrite(folder: string, position: number, bytes: Uint8Array): void {
  const descriptor = openSync(join(folder, 'data.mdb'), 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, position);
  closeSync(descriptor);
}

function wrong({ problems }: Inspection): string[] {
  return problems.map(each => each.wrong);
}

/** Numbers that are the same in every run, from 0 to below `below`. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('a folder in good health', () => {
  test('is told with what it holds', async () => {
    const path = folders.fresh();
    const store = createStore(lmdb({ path, root: 'app' }));
    await store.put('config/colour', 'blue');
    await store.put('config/size', '7', { ttl: 3_600_000 });
    await store.put('config/colour', 'red');
    const lock = await store.lock('jobs/nightly');
    const waiting = store.lock$('jobs/nightly').subscribe();
    let inspection = await inspect(path);
    await until(async () => (inspection = await inspect(path)).contents?.locks[0]?.waiting === 1, 'the second contender');
    expect(inspection).toEqual({
      path,
      verdict: 'healthy',
      problems: [],
      files: ['data.mdb', 'lock.mdb', 'marks'].map(name => ({
        name,
        kind: name === 'marks' ? 'folder' : 'file',
        bytes: expect.any(Number),
        modified: expect.any(Date),
      })),
      database: {
        format: 2,
        pageSize: 4096,
        pages: statSync(join(path, 'data.mdb')).size / 4096,
        usedPages: expect.any(Number),
        transaction: expect.any(Number),
      },
      contents: {
        schema: 2,
        revision: inspection.contents?.revision,
        compacted: 0n,
        entries: 2,
        expiring: 1,
        sessions: { live: 2, ended: 0 },
        locks: [{ root: 'app/', name: 'jobs/nightly', fence: lock.fence, waiting: 1 }],
      },
    });
    // The file may show a commit a moment before the store that makes it does.
    await until(
      async () => (await store.list('')).revision === inspection.contents?.revision,
      'the store to be at the revision that is told',
    );
    waiting.unsubscribe();
    await lock.release();
    await until(async () => (await inspect(path)).contents?.sessions.live === 0, 'the sessions to end');
    expect((await inspect(path)).contents?.locks).toEqual([]);
    await store.close();
  });

  test('is so after its log was trimmed, its values replaced, grown, shrunk and removed, at every step', async () => {
    const path = folders.fresh();
    const draw = numbers(7);
    const store = createStore(lmdb({ path, history: 100 }));
    for (let round = 0; round < 30; round++) {
      await Promise.all(
        Array.from({ length: 100 }, () => {
          const key = `d${draw(10)}/k${draw(500)}`;
          if (draw(20) === 0) return store.deleteTree(`d${draw(10)}`);
          if (draw(4) === 0) return store.delete(key);
          return store.put(key, 'x'.repeat(draw(10) === 0 ? draw(30_000) : draw(200)), draw(5) === 0 ? { ttl: 100 + draw(200) } : {});
        }),
      );
      expect(await inspect(path)).toMatchObject({ verdict: 'healthy', problems: [] });
    }
    expect((await inspect(path)).contents?.compacted).toBeGreaterThan(0n);
    // Those whose ttl is over count until somebody has removed them.
    const agreed = async (): Promise<boolean> => (await inspect(path)).contents?.entries === (await store.list('')).size;
    await until(agreed, 'the same entries by inspect() and by list()');
    await store.close();
  });

  test('is read and never touched: not made, not written, not locked', async () => {
    const path = await database();
    const state = (): unknown =>
      readdirSync(path, { recursive: true, encoding: 'utf8' }).map(name => {
        const file = join(path, name);
        if (statSync(file).isDirectory()) return [name, statSync(file).mtimeMs];
        return [name, createHash('sha256').update(readFileSync(file)).digest('hex'), statSync(file).mtimeMs];
      });
    const before = state();
    const absent = join(path, 'absent');
    expect((await inspect(absent)).verdict).toBe('absent');
    expect(existsSync(absent)).toBe(false);
    expect((await inspect(path)).verdict).toBe('healthy');
    expect(state()).toEqual(before);
  });

  test('is never called damaged while others write to it with all their might', async () => {
    const path = folders.fresh();
    const writers = ['one', 'two'].map(name => processes.start('writer.mjs', { path, keys: 300, inFlight: 50, name }));
    await until(() => writers.every(writer => writer.lines.length > 2), 'both writers to be under way');
    const verdicts = new Set<string>();
    for (let i = 0; i < 10; i++) verdicts.add((await inspect(path)).verdict);
    expect([...verdicts].filter(verdict => verdict !== 'healthy' && verdict !== 'busy')).toEqual([]);
    await Promise.all(writers.map(writer => writer.kill()));
    expect(wrong(await inspect(path))).toEqual([]);
  });

  test('whose disk is nearly full is told so', async () => {
    const path = await database();
    vi.spyOn(fs, 'statfsSync').mockReturnValue({ bavail: 2560, bsize: 4096 } as StatsFs & fs.BigIntStatsFs);
    const { verdict, problems } = await inspect(path);
    expect(verdict).toBe('healthy');
    expect(problems).toEqual([
      {
        wrong: `the disk of ${path} is nearly full: 10.0 MiB are free, and a put needs 16.0 MiB`,
        remedy: 'make room on it; until then puts are refused as unavailable',
      },
    ]);
  });
});

describe('a folder without a database', () => {
  test('is empty, or has nothing but an empty file, or is not there', async () => {
    const folder = folders.fresh();
    const verdicts = [];
    for (const path of [folder, withData(''), join(folder, 'a', 'b')]) verdicts.push((await inspect(path)).verdict);
    expect(verdicts).toEqual(['empty', 'empty', 'absent']);
  });

  test('is a file, or below one', async () => {
    const file = join(folders.fresh(), 'file');
    writeFileSync(file, '');
    expect(await inspect(file)).toMatchObject({ verdict: 'foreign', problems: [{ wrong: `${file} is no folder` }] });
    expect((await inspect(join(file, 'below'))).verdict).toBe('absent');
  });

  test('is one whose making was cut short', async () => {
    const path = folders.fresh();
    const environment = open({ path, noSubdir: false, maxDbs: 12 });
    environment.openDB('rxkv/rows', { encoding: 'binary' });
    await environment.close();
    expect((await inspect(path)).verdict).toBe('empty');
  });

  test('and no path at all is invalid', async () => {
    for (const path of ['', 'a\0b', undefined, 7]) await refused(() => inspect(path as string), 'invalid', `inspect(${path})`);
  });
});

describe('a folder of something else', () => {
  test('is foreign, and what is wrong is said', async () => {
    const draw = numbers(1);
    const contents = [
      Uint8Array.from({ length: 65_536 }, () => draw(256)),
      new Uint8Array(65_536),
      'This is a text, and a long one.\n'.repeat(1000),
      'x',
    ];
    const words = ['is no LMDB database', 'is no LMDB database', 'is no LMDB database', 'is too short to be an LMDB database'];
    for (const [i, content] of contents.entries()) {
      const path = withData(content);
      expect(await inspect(path)).toMatchObject({
        verdict: 'foreign',
        problems: [{ wrong: `${join(path, 'data.mdb')} ${words[i]}`, remedy: 'give lmdb() another path, or move away what is there' }],
      });
    }
  });

  test('is foreign where a folder has the name of a file of ours', async () => {
    for (const name of ['data.mdb', 'lock.mdb']) {
      const path = folders.fresh();
      mkdirSync(join(path, name));
      expect(await inspect(path)).toMatchObject({
        verdict: 'foreign',
        problems: [{ wrong: `${join(path, name)} is no file, and LMDB keeps a file there` }],
        files: [{ name, kind: 'folder' }],
      });
    }
  });

  test('is foreign where another application keeps its LMDB database', async () => {
    const path = folders.fresh();
    const environment = open({ path, noSubdir: false });
    await environment.put('theirs', { colour: 'blue' });
    await environment.close();
    expect(await inspect(path)).toMatchObject({
      verdict: 'foreign',
      problems: [{ wrong: `${join(path, 'data.mdb')} is the LMDB database of another application` }],
    });
  });

  test('is healthy where ours is beside that of another application', async () => {
    const path = await database();
    const environment = open({ path, noSubdir: false, maxDbs: 12 });
    await environment.put('theirs', { colour: 'blue' });
    await environment.openDB('more', { dupSort: true, encoding: 'ordered-binary' }).put('a', 'b');
    await environment.close();
    expect(await inspect(path)).toMatchObject({ verdict: 'healthy', problems: [], contents: { entries: 1203 } });
  });

  test('is newer where a newer version of rxkv made it', async () => {
    const path = folders.fresh();
    const table = await tables.open(path);
    await claimFor(table, 200);
    expect(await inspect(path)).toMatchObject({ verdict: 'newer', problems: [{ remedy: 'upgrade rxkv' }] });
  });

  test('is older where an older version of rxkv made it, also after this one was refused it', async () => {
    const path = folders.fresh();
    await fillWithOldSchema(path);
    const expected = { verdict: 'older', problems: [{ wrong: expect.stringContaining('(schema 1, this one knows 2)') }] };
    expect(await inspect(path)).toMatchObject(expected);
    await refused(() => tables.open(path), 'unsupported', 'opening it');
    expect(await inspect(path)).toMatchObject(expected);
  });
});

describe('a database that is damaged', () => {
  test('at its front is told where', async () => {
    const broken: readonly (readonly [verdict: string, words: string, position: number, bytes: number[]])[] = [
      ['foreign', 'data format 1', 28, [1, 0, 0, 0]],
      ['damaged', 'second meta page', 4096 + 24, [0, 0, 0, 0]],
      ['damaged', 'page size', 48, [1, 2, 3, 4]],
    ];
    for (const [verdict, words, position, bytes] of broken) {
      const path = await database();
      overwrite(path, position, Uint8Array.from(bytes));
      expect(await inspect(path)).toMatchObject({ verdict, problems: [{ wrong: expect.stringContaining(words) }] });
    }
  });

  test('because half of it is gone is told how much there is, and what to do', async () => {
    const path = await database();
    const file = join(path, 'data.mdb');
    const pages = statSync(file).size / 4096;
    const left = Math.floor(pages / 2);
    truncateSync(file, left * 4096);
    const inspection = await inspect(path);
    expect(inspection.verdict).toBe('damaged');
    expect(inspection.problems[0]).toEqual({
      wrong: expect.stringMatching(new RegExp(`^${file} is damaged: it has ${left} of \\d+ pages$`)),
      remedy: expect.stringContaining('restore a backup'),
    });
    expect(inspection.problems.length).toBeLessThan(25);
  });

  test('is found so whichever page of it has been lost', { timeout: 30_000 }, async () => {
    const path = await database();
    const whole = await inspect(path);
    const bytes = readFileSync(join(path, 'data.mdb'));
    const found: Record<string, number> = {};
    for (let page = 2; page < bytes.length / 4096; page++) {
      const copy = withData(bytes);
      overwrite(copy, page * 4096, new Uint8Array(4096).fill(0xa5));
      const { verdict } = await inspect(copy);
      found[verdict] = (found[verdict] ?? 0) + 1;
      rmSync(copy, { recursive: true });
    }
    // The two meta pages aside; and of a large value only the first page is anything but bytes of it.
    const { usedPages = 0 } = whole.database ?? {};
    expect(found.damaged).toBe(usedPages - 2 - 7);
  });

  test('because a page was written to another place, or is newer than all else, is found so', async () => {
    const path = await database();
    const bytes = readFileSync(join(path, 'data.mdb'));
    const newest = [0, 4096].reduce((a, b) => (bytes.readBigUInt64LE(a + 152) >= bytes.readBigUInt64LE(b + 152) ? a : b));
    const root = Number(bytes.readBigUInt64LE(newest + 136)) * 4096;
    expect((await inspect(path)).verdict).toBe('healthy');
    // The lowest bytes of its number, and of the transaction that wrote it.
    for (const position of [root, root + 10]) {
      const copy = withData(bytes);
      overwrite(copy, position, Uint8Array.of((bytes[position] as number) + 1));
      expect(wrong(await inspect(copy))[0]).toContain('is not what was written there');
    }
  });

  test('is busy, and called nothing worse, as long as somebody writes to it', async () => {
    const path = withData('This is a text, and a long one.\n'.repeat(1000));
    const touching = setInterval(() => appendFileSync(join(path, 'data.mdb'), 'x'), 5);
    expect(await inspect(path)).toMatchObject({ verdict: 'busy', problems: [{ remedy: expect.stringContaining('stop the writers') }] });
    clearInterval(touching);
    expect((await inspect(path)).verdict).toBe('foreign');
  });

  test('in its records, with every page in place, is found so', async () => {
    const spoilers = { 'rxkv/expiries': 'is not in rxkv/expiries', 'rxkv/log': 'rxkv/log ends at revision' };
    for (const [name, words] of Object.entries(spoilers)) {
      const path = await database();
      const environment = open({ path, noSubdir: false, maxDbs: 12 });
      const spoilt = environment.openDB(name, { encoding: 'binary', keyEncoding: 'binary' });
      const last = [...spoilt.getKeys({ start: Buffer.from([0]) })].at(-1);
      await spoilt.remove(last as Buffer);
      await environment.close();
      const inspection = await inspect(path);
      expect(inspection.verdict).toBe('damaged');
      expect(wrong(inspection).join('\n')).toContain(words);
    }
  });

  test('in the last transactions of its log, or in what its next commit depends on, is found so', async () => {
    type Spoil = (bytes: Buffer, version: number) => [bytes: Buffer, version: number];
    const spoilers: [Spoil, string][] = [
      [(bytes, version) => [bytes.subarray(0, headBytes), version], 'does not say how far the store is'],
      [(bytes, version) => [Buffer.concat([bytes.subarray(0, headBytes), noTail]), version], 'rxkv/log ends at revision'],
      [(bytes, version) => [bytes.fill(0xff, headBytes + 4), version], 'does not say how far the store is'],
      [(bytes, version) => [bytes, version + 1], 'does not say how far the store is'],
    ];
    for (const [spoil, words] of spoilers) {
      const path = await database();
      const table = await tables.open(path);
      await put(table, { last: 'z' });
      await table.close();
      const environment = open({ path, noSubdir: false, maxDbs: 12, encoding: 'binary', keyEncoding: 'binary', useVersions: true });
      const { value, version } = environment.getEntry(Buffer.from(headKey)) as { value: Buffer; version: number };
      await environment.put(Buffer.from(headKey), ...spoil(Buffer.from(value), version));
      await environment.close();
      const inspection = await inspect(path);
      expect(inspection.verdict).toBe('damaged');
      expect(wrong(inspection).join('\n')).toContain(words);
    }
  });

  test('by any bytes anywhere never makes it throw, and what it calls healthy LMDB can open and read', { timeout: 60_000 }, async () => {
    const path = await database();
    const bytes = readFileSync(join(path, 'data.mdb'));
    const draw = numbers(20);
    const healthy: string[] = [];
    const unsound: string[] = [];
    for (let i = 0; i < 150; i++) {
      const copy = withData(bytes);
      const length = 1 + draw(draw(2) === 0 ? 8 : 2000);
      // Half of them in the bytes that LMDB follows: the fronts of pages.
      const position = draw(2) === 0 ? draw(bytes.length / 4096) * 4096 + draw(64) : draw(bytes.length - length);
      overwrite(
        copy,
        position,
        Uint8Array.from({ length }, () => draw(256)),
      );
      const { verdict } = await inspect(copy);
      (verdict === 'healthy' ? healthy : unsound).push(copy);
    }
    expect(unsound.length).toBeGreaterThan(20);
    expect(healthy.length).toBeGreaterThan(20);
    const child = processes.start('open.mjs', { paths: healthy });
    await child.finished(30_000);
    expect(child.lines).toEqual(healthy.map(() => ({ opened: expect.any(Number), rows: 1203 })));
  });
});

describe('a folder of somebody else', () => {
  async function inspecting(paths: readonly string[], user?: number): Promise<readonly Line[]> {
    const child = processes.start('inspect.mjs', { paths, user });
    await child.finished();
    return child.lines;
  }

  test('is inaccessible, or readable and not usable', async () => {
    const [hidden, shut, readOnly] = [await database(), await database(), await database()];
    chmodSync(hidden, 0o000);
    chmodSync(shut, 0o755);
    chmodSync(join(shut, 'data.mdb'), 0o000);
    for (const name of ['data.mdb', 'lock.mdb']) chmodSync(join(readOnly, name), 0o444);
    chmodSync(readOnly, 0o555);
    // For root no file is unreadable.
    const answers = await inspecting([hidden, shut, readOnly], process.getuid?.() === 0 ? 65_534 : undefined);
    for (const folder of [hidden, shut, readOnly]) chmodSync(folder, 0o700);
    expect(answers.map(({ verdict }) => verdict)).toEqual(['inaccessible', 'inaccessible', 'healthy']);
    expect(answers[2]).toEqual({
      verdict: 'healthy',
      entries: 1203,
      wrong: [readOnly, join(readOnly, 'data.mdb'), join(readOnly, 'lock.mdb')].map(name => `this process may not read and write ${name}`),
    });
  });

  test('that the file system does not give is inaccessible, and not called damaged', async () => {
    const path = join(folders.fresh(), 'loop');
    symlinkSync(path, path);
    expect(await inspect(path)).toMatchObject({ verdict: 'inaccessible', problems: [{ wrong: `${path} could not be read (ELOOP)` }] });
  });

  test('is read through a link, and where it has other files, they are listed', async () => {
    const path = await database();
    writeFileSync(join(path, 'notes.txt'), 'hello');
    const link = join(folders.fresh(), 'link');
    symlinkSync(path, link);
    const { verdict, files } = await inspect(link);
    expect(verdict).toBe('healthy');
    expect(files.map(({ name }) => name)).toEqual(['data.mdb', 'lock.mdb', 'marks', 'notes.txt']);
    const crowded = folders.fresh();
    cpSync(path, crowded, { recursive: true });
    for (let i = 0; i < 300; i++) writeFileSync(join(crowded, `a${i}`), '');
    const names = (await inspect(crowded)).files.map(({ name }) => name);
    expect(names.length).toBe(102);
    expect(names).toEqual(expect.arrayContaining(['data.mdb', 'lock.mdb']));
  });
});
