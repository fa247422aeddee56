import fs, { type FSWatcher } from 'node:fs';
import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createNews } from '../../../src/backends/lmdb/news.js';
import { quietFor, until } from '../../../src/conformance/waiting.js';
import type { Table } from '../../../src/backends/local/table.js';
import { Folders } from './folders.js';
import { put, Tables } from './tables.js';

const folders = new Folders();
const tables = new Tables();
afterEach(async () => {
  vi.restoreAllMocks();
  await tables.end();
  folders.end();
});

/** Follows a table; `heads` are those at which news came. */
function follow(table: Table): { readonly heads: number[]; stop(): void } {
  const heads: number[] = [];
  const subscription = table.news$.subscribe(() => heads.push(table.view().head));
  return { heads, stop: () => subscription.unsubscribe() };
}

async function expectNewsOfOthers(): Promise<void> {
  const folder = folders.fresh();
  const [one, other] = [await tables.open(folder), await tables.open(folder)];
  const { heads } = follow(one);
  for (let i = 1; i <= 20; i++) {
    await put(other, { a: `${i}` });
    await until(() => heads.includes(i), `news of revision ${i}`);
  }
}

describe('news of an LMDB table', () => {
  test('come at once of its own commits, before those resolve', async () => {
    const table = await tables.open(folders.fresh());
    vi.spyOn(fs, 'watch').mockImplementation(nothingToSay);
    const { heads } = follow(table);
    await put(table, { a: '1' });
    expect(heads).toContain(1);
  });

  test('come of the commits of others', expectNewsOfOthers);

  test('come where the system never says that a file changed (P7)', async () => {
    vi.spyOn(fs, 'watch').mockImplementation(nothingToSay);
    await expectNewsOfOthers();
  });

  test('come where the system has no watch left (P7)', async () => {
    vi.spyOn(fs, 'watch').mockImplementation(() => {
      throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
    });
    await expectNewsOfOthers();
  });

  test('come where a watch fails later (P7)', async () => {
    const watchers: EventEmitter[] = [];
    vi.spyOn(fs, 'watch').mockImplementation(() => {
      const watcher = nothingToSay();
      watchers.push(watcher);
      queueMicrotask(() => watcher.emit('error', new Error('ENOSPC')));
      return watcher;
    });
    await expectNewsOfOthers();
    expect(watchers.length).toBe(1);
  });

  test('come sooner than the poll where the system tells', async () => {
    const folder = folders.fresh();
    const [one, other] = [await tables.open(folder), await tables.open(folder)];
    const told: number[] = [];
    one.news$.subscribe(() => told.push(performance.now()));
    const late: number[] = [];
    for (let i = 0; i < 20; i++) {
      const before = told.length;
      await put(other, { a: `${i}` });
      const acknowledged = performance.now();
      await until(() => told.length > before, 'news');
      late.push((told[before] as number) - acknowledged);
    }
    // By the poll alone it would be 12 ms.
    expect(late.sort((a, b) => a - b)[10]).toBeLessThan(8);
  });

  test('come of sessions, which move no revision', async () => {
    const folder = folders.fresh();
    const [one, other] = [await tables.open(folder), await tables.open(folder)];
    const { heads } = follow(one);
    await other.commit(() => ({ writes: [{ session: { id: 'one', ttl: 1, deadline: 1, boot: '' }, before: undefined }], log: [] }));
    await until(() => heads.length > 0, 'news of a session');
    expect(one.view().session('one')).toBeDefined();
  });

  test('are one watch of the file however many follow, and none when the last has gone', async () => {
    const watch = vi.spyOn(fs, 'watch');
    const table = await tables.open(folders.fresh());
    expect(watch).not.toHaveBeenCalled();
    const all = [follow(table), follow(table), follow(table)];
    expect(watch).toHaveBeenCalledTimes(1);
    const watcher = watch.mock.results[0]?.value as FSWatcher;
    const closed = vi.spyOn(watcher, 'close');
    await put(table, { a: '1' });
    for (const { heads } of all) expect(heads).toContain(1);
    all[0]?.stop();
    all[1]?.stop();
    expect(closed).not.toHaveBeenCalled();
    all[2]?.stop();
    expect(closed).toHaveBeenCalledTimes(1);
  });

  test('complete when the table closes, also for who comes later', async () => {
    const table = await tables.open(folders.fresh());
    const ends: string[] = [];
    table.news$.subscribe({ complete: () => ends.push('during') });
    await table.close();
    table.news$.subscribe({ complete: () => ends.push('after') });
    expect(ends).toEqual(['during', 'after']);
  });
});

describe('looking for news', () => {
  test('is made again when the system told before there was something to see', async () => {
    let wake: () => void = () => {};
    vi.spyOn(fs, 'watch').mockImplementation(((...args: unknown[]) => {
      wake = args[2] as () => void;
      return nothingToSay();
    }) as typeof fs.watch);
    let position = 0;
    let looks = 0;
    const news = createNews({
      file: 'any',
      position: () => {
        looks++;
        return position;
      },
    });
    const told: number[] = [];
    const subscription = news.news$.subscribe(() => told.push(position));
    const before = looks;
    wake();
    wake();
    await until(() => looks > before, 'a look');
    position = 1;
    await until(() => told.length > 0, 'the second look', 20);
    expect(told).toEqual([1]);
    subscription.unsubscribe();
    const after = looks;
    await quietFor(60, 'a look after the last has gone');
    expect(looks).toBe(after);
  });

  test('counts a position that cannot be told as news, so that whoever reads is told why', async () => {
    vi.spyOn(fs, 'watch').mockImplementation(nothingToSay);
    const news = createNews({ file: 'any', position: () => Number.NaN });
    let told = 0;
    const subscription = news.news$.subscribe(() => told++);
    await until(() => told > 1, 'news');
    subscription.unsubscribe();
  });
});

/** A watch on which nothing ever happens. */
function nothingToSay(): FSWatcher {
  return Object.assign(new EventEmitter(), { close: () => {}, ref: () => undefined, unref: () => undefined }) as unknown as FSWatcher;
}
