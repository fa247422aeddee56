import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLocalDriver, type LocalOptions } from '../../../src/backends/local/driver.js';
import type { Table } from '../../../src/backends/local/table.js';
import { Storage } from '../../../src/backends/memory/storage.js';
import { MemoryTable } from '../../../src/backends/memory/table.js';
import { capabilities } from '../../../src/backends/memory/capabilities.js';
import type { Driver, DriverContext } from '../../../src/driver.js';
import { KvError } from '../../../src/errors.js';
import { context, hear, put } from './scene.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const call = { timeout: 1000 };
const strong = { ...call, consistency: 'strong' } as const;

class Setting {
  opened = 0;
  closed = 0;
  readonly storage: Storage = new Storage();
  readonly table: Table = new MemoryTable(this.storage, 'the client', () => this.closed++);
  readonly context: ReturnType<typeof context>;
  readonly driver: Driver;
  open: () => Promise<Table> | Table = () => this.table;

  constructor(more: Partial<LocalOptions> = {}, contextual: Partial<DriverContext> = {}) {
    this.context = context(contextual);
    this.driver = createLocalDriver({
      name: 'local',
      root: 'app/',
      capabilities,
      open: () => {
        this.opened++;
        return this.open();
      },
      ...more,
    });
    this.driver.start(this.context);
  }

  commit(...ops: Parameters<Driver['commit']>[0]['ops']): ReturnType<Driver['commit']> {
    return this.driver.commit({ checks: [], ops }, call);
  }
}

/** The code that a promise rejects with, and its outcome. */
async function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: unknown) =>
      KvError.is(error) ? [error.code, error.outcome, error.backend].filter(part => part !== undefined).join(' ') : String(error),
  );
}

const turn = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

describe('opening', () => {
  test('happens at first use, once, and native is what lies underneath from then on', async () => {
    const setting = new Setting();
    expect([setting.opened, setting.driver.native]).toEqual([0, undefined]);
    await Promise.all([setting.commit(put('a')), setting.driver.list({ prefix: '' }, strong), setting.driver.ready(call)]);
    const feed = hear(setting.driver.feed$({ prefix: '' }));
    expect([setting.opened, setting.driver.native, feed[0]]).toEqual([1, 'the client', 'reset 1: a=x']);
    feed.stop();
  });

  for (const how of ['throws', 'rejects'] as const)
    test(`that ${how} fails those who asked, as a KvError, and is tried anew at the next call`, async () => {
      const setting = new Setting();
      const { open } = setting;
      setting.open = () => {
        const error = new KvError('unsupported', 'no client');
        if (how === 'throws') throw error;
        return Promise.reject(error);
      };
      const feed = hear(setting.driver.feed$({ prefix: '' }));
      expect(await failure(setting.commit(put('a')))).toBe('unsupported');
      await turn();
      expect([feed[0], setting.opened]).toEqual(['error unsupported', 1]);
      setting.open = () => {
        throw new TypeError('a defect');
      };
      expect(await failure(setting.driver.ready(call))).toBe('internal local');
      setting.open = open;
      expect(await failure(setting.commit(put('a')))).toBe('resolved');
      expect(setting.opened).toBe(3);
    });

  test('writes of one key keep the order of asking, whatever moment of opening they fall into', async () => {
    for (let microtasks = 0; microtasks < 30; microtasks++) {
      const setting = new Setting();
      const first = setting.commit(put('a', 'first'));
      for (let i = 0; i < microtasks; i++) await Promise.resolve();
      await Promise.all([first, setting.commit(put('a', 'second'))]);
      const { entries } = await setting.driver.list({ key: 'a' }, strong);
      expect(new TextDecoder().decode(entries[0]?.value), `${microtasks} microtasks later`).toBe('second');
    }
  });

  test('that hangs is a timeout of each call, and of feeds and sessions', async () => {
    const setting = new Setting();
    setting.open = () => new Promise(() => {});
    const all = Promise.all([failure(setting.commit(put('a'))), failure(setting.driver.list({ key: 'a' }, strong))]);
    const feed = hear(setting.driver.feed$({ prefix: '' }));
    await turn(1010);
    // The commit was never sent: its outcome is known.
    expect(await all).toEqual(['timeout local', 'timeout local']);
    await turn(4000);
    expect(feed).toEqual(['error timeout']);
  });

  test('a driver belongs to one store', () => {
    const { driver, context: first } = new Setting();
    expect(() => driver.start(first)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });
});

describe('calls', () => {
  test('are rid of the root, and share a batch', async () => {
    const setting = new Setting();
    await setting.driver.ready(call);
    const commit = vi.spyOn(setting.table, 'commit');
    const outcomes = await Promise.all([setting.commit(put('a')), setting.commit(put('b'))]);
    expect(outcomes).toMatchObject([
      { ok: true, results: [{ entry: { key: 'a' } }] },
      { ok: true, results: [{ entry: { key: 'b' } }] },
    ]);
    expect(commit).toHaveBeenCalledTimes(1);
    expect([...setting.storage.rows('', undefined)].map(({ key }) => key)).toEqual(['app/a', 'app/b']);
    expect((await setting.driver.list({ key: 'a' }, strong)).entries.map(({ key }) => key)).toEqual(['a']);
  });

  test('a write that is not answered in time may have been applied; one that waited behind it is not sent later', async () => {
    const setting = new Setting();
    await setting.driver.ready(call);
    const commit = setting.table.commit.bind(setting.table);
    let answer = (): void => {};
    setting.table.commit = async prepare => {
      await new Promise<void>(resolve => {
        answer = resolve;
      });
      return commit(prepare);
    };
    const first = failure(setting.commit(put('a')));
    await turn();
    const second = failure(setting.commit(put('b')));
    await turn(1010);
    expect([await first, await second]).toEqual(['timeout unknown local', 'timeout unknown local']);
    setting.table.commit = commit;
    answer();
    await turn();
    await setting.commit(put('c'));
    expect([...setting.storage.rows('', undefined)].map(({ key }) => key)).toEqual(['app/c']);
  });

  test('a signal that aborts ends the wait, and one that has aborted sends nothing', async () => {
    const setting = new Setting();
    await setting.driver.ready(call);
    const controller = new AbortController();
    const commit = vi.spyOn(setting.table, 'commit').mockImplementation(() => new Promise(() => {}));
    const waiting = failure(setting.driver.commit({ checks: [], ops: [put('a')] }, { ...call, signal: controller.signal }));
    await turn();
    controller.abort();
    expect(await waiting).toBe('aborted unknown local');
    expect(await failure(setting.driver.commit({ checks: [], ops: [put('a')] }, { ...call, signal: controller.signal }))).toBe(
      'aborted local',
    );
    expect(commit).toHaveBeenCalledTimes(1);
  });

  test('a failing table fails the call with its own error, and reads never throw', async () => {
    const setting = new Setting();
    await setting.driver.ready(call);
    vi.spyOn(setting.table, 'commit').mockRejectedValue(new KvError('overloaded', 'disk full'));
    vi.spyOn(setting.table, 'view').mockImplementation(() => {
      throw new RangeError('a defect');
    });
    expect(await failure(setting.commit(put('a')))).toBe('overloaded');
    expect(await failure(setting.driver.list({ key: 'a' }, strong))).toBe('internal local');
    expect(await setting.driver.health(call)).toMatchObject({ ok: false, error: { code: 'internal' } });
  });

  test('health counts the records of others that are no keys, and the logger is told once', async () => {
    const warn = vi.fn<(message: string, detail?: object) => void>();
    const setting = new Setting({}, { logger: { debug: warn, info: warn, warn, error: warn } });
    await setting.commit(put('a//b'), put('/c'), put('fine'));
    expect((await setting.driver.list({ prefix: '' }, strong)).entries).toHaveLength(1);
    await setting.driver.list({ prefix: '' }, strong);
    const health = await setting.driver.health(call);
    expect(health).toMatchObject({ ok: true, warnings: [expect.stringMatching(/^2 records/)] });
    expect(health.latency).toBeGreaterThanOrEqual(0);
    expect(warn).toHaveBeenCalledTimes(1);
  });
});

describe('close', () => {
  test('of a driver that was never used opens nothing', async () => {
    const setting = new Setting();
    await setting.driver.close();
    expect(await failure(setting.commit(put('a')))).toBe('closed local');
    expect([setting.opened, setting.closed]).toEqual([0, 0]);
  });

  test('ends feeds and sessions, waits for what is under way, and refuses what comes after', async () => {
    const setting = new Setting({ sweepEvery: 1000 });
    const feed = hear(setting.driver.feed$({ prefix: '' }));
    const errors: unknown[] = [];
    setting.driver.session$(300).subscribe({ error: (error: unknown) => errors.push(error) });
    await turn();
    const write = setting.commit(put('a'));
    const closed = setting.driver.close();
    expect(setting.driver.close()).toBe(closed);
    expect((await write).ok).toBe(true);
    await closed;
    expect([feed.at(-1), errors]).toEqual(['error closed', [expect.objectContaining({ code: 'closed' })]]);
    expect([[...setting.storage.sessions()], setting.closed, vi.getTimerCount()]).toEqual([[], 1, 0]);
    expect(await failure(setting.commit(put('a')))).toBe('closed local');
    expect(await failure(setting.driver.list({ key: 'a' }, strong))).toBe('closed local');
    expect(await failure(setting.driver.ready(call))).toBe('closed local');
    expect((await setting.driver.health(call)).error?.code).toBe('closed');
    expect(hear(setting.driver.feed$({ prefix: '' }))).toEqual(['error closed']);
  });

  test('while the table is being opened closes it once it is open, and fails those who wait', async () => {
    const setting = new Setting();
    let opened = (): void => {};
    setting.open = () => new Promise(resolve => (opened = () => resolve(setting.table)));
    const calls = Promise.all([failure(setting.commit(put('a'))), failure(setting.driver.list({ key: 'a' }, strong))]);
    const feed = hear(setting.driver.feed$({ prefix: '' }));
    const closed = setting.driver.close();
    opened();
    await closed;
    expect(await calls).toEqual(['closed local', 'closed local']);
    expect([feed, setting.closed, setting.storage.head]).toEqual([['error closed'], 1, 0]);
  });

  for (const [what, broken] of Object.entries({
    commit: { commit: () => new Promise<void>(() => {}) },
    close: { close: () => new Promise<void>(() => {}) },
  }))
    test(`settles within the timeout when ${what}() of the table hangs`, async () => {
      const setting = new Setting();
      await setting.driver.ready(call);
      Object.assign(setting.table, broken);
      const write = failure(setting.commit(put('a')));
      let closed = false;
      void setting.driver.close().then(() => (closed = true));
      await turn(5000);
      expect(closed).toBe(true);
      if (what === 'commit') expect(await write).toBe('timeout unknown local');
    });
});
