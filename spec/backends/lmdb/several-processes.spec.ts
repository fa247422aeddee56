import { afterEach, describe, expect, test } from 'vitest';
import { inspect } from '../../../src/backends/lmdb/inspect.js';
import type { Logged, Table } from '../../../src/backends/local/table.js';
import { until } from '../../../src/conformance/waiting.js';
import { Folders } from './folders.js';
import { Processes, type RunningProcess } from './processes.js';
import { contents, faults, put, Tables, text } from './tables.js';

const folders = new Folders();
const tables = new Tables();
const processes = new Processes();
afterEach(async () => {
  await Promise.all([tables.end(), processes.end()]);
  folders.end();
});

async function secondProcess(path: string): Promise<RunningProcess> {
  const child = processes.start('commands.mjs', { path });
  await child.next('ready');
  return child;
}

type Acknowledged = readonly (readonly [revision: number, key: string])[];

function acknowledgedBy(child: RunningProcess): Acknowledged {
  return child.lines.flatMap(line => (line.acked as Acknowledged | undefined) ?? []);
}

describe('several processes at one folder', () => {
  test('share one count of revisions, without gaps or doubles, however they contend', async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    const writers = ['one', 'two'].map(name => processes.start('writer.mjs', { path: folder, keys: 50, inFlight: 20, name, batches: 100 }));
    for (let i = 0; i < 100; i++) await put(table, { mine: `${i}` });
    await Promise.all(writers.map(writer => writer.finished(20_000)));
    const acknowledged = writers.flatMap(acknowledgedBy);
    expect(acknowledged.length).toBe(4000);
    expect(new Set(acknowledged.map(([revision]) => revision)).size).toBe(4000);
    expect(table.view().head).toBe(4100);
    expect(faults(table)).toEqual([]);
  });

  test('read at once what another has acknowledged (P8)', async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    const other = await secondProcess(folder);
    for (let i = 0; i < 30; i++) {
      table.view().row('a');
      other.send({ put: 'a', value: `${i}` });
      await other.next('put');
      expect(text(table.view().row('a')?.value as Uint8Array)).toBe(`${i}`);
      await put(table, { b: `${i}` });
      other.send({ get: 'b' });
      expect(await other.next('got')).toEqual({ got: `${i}` });
    }
  });

  test('are not held up by one whose event loop is busy right after a write (P5)', async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    await put(table, { warm: 'up' });
    const other = await secondProcess(folder);
    const written: number[] = [];
    for (let round = 0; round < 5; round++) {
      other.send({ put: 'a', value: `${round}`, block: 400 });
      await other.next('blocking');
      const began = performance.now();
      const blocked = (): boolean => performance.now() - began < 300;
      let count = 0;
      // As long as the other one is certainly blocked.
      for (; blocked(); count++) await put(table, { b: `${count}` });
      written.push(count);
      await other.next('put');
    }
    // While it held the write lock there would be one at most. The median, for the disk has its moods.
    expect(written.sort((a, b) => a - b)[2]).toBeGreaterThan(1);
    expect(faults(table)).toEqual([]);
  });

  test('hear of what one of them writes, each time', async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    const other = await secondProcess(folder);
    other.send({ watch: true });
    await other.next('watching');
    for (let i = 0; i < 20; i++) {
      await put(table, { a: `${i}` });
      const { head } = table.view();
      await until(() => other.lines.some(line => line.news === head), `the other process to hear of revision ${head}`);
    }
  });

  test('count sessions on one clock, and know that it is one boot of the machine', async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    const other = await secondProcess(folder);
    for (let i = 0; i < 3; i++) {
      const before = table.monotonic();
      other.send({ clock: true });
      const { clock, boot } = await other.next<{ clock: number; boot: string }>('clock');
      expect(clock).toBeGreaterThan(before);
      expect(clock).toBeLessThan(table.monotonic());
      expect(boot).toBe(table.boot);
    }
    if (process.platform === 'linux') expect(table.boot).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('close and end by themselves, watching or not', async () => {
    const folder = folders.fresh();
    const other = await secondProcess(folder);
    other.send({ watch: true });
    await other.next('watching');
    other.send({ close: true });
    await other.next('closed');
    await other.finished();
  });

  test('go on reading while one is stopped in the midst of its writes, close in time, and write when it goes on (P13)', async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    const writer = processes.start('writer.mjs', { path: folder, keys: 50, inFlight: 500, name: 'stopped' });
    await writer.next('acked');
    // Stopped at no matter which moment; most of the time it is one at which it holds the write lock.
    writer.signal('SIGSTOP');
    const writing = put(table, { a: '1' });
    const seen = table.view().head;
    expect(seen).toBeGreaterThan(0);
    const began = performance.now();
    await table.close();
    expect(performance.now() - began).toBeLessThan(4000);
    writer.signal('SIGCONT');
    await writing.catch((error: unknown) => expect(error).toMatchObject({ code: 'closed' }));
    await writer.kill();
    const again = await tables.open(folder);
    await put(again, { b: '1' });
    expect(faults(again)).toEqual([]);
  });
});

describe('writers that are killed with no warning', () => {
  test('leave all that they acknowledged, nothing by halves, and the others at work; twenty times over', { timeout: 120_000 }, async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    const acknowledged: (readonly [revision: number, key: string])[] = [];
    for (let round = 0; round < 20; round++) {
      const { head: before } = table.view();
      const writers = ['one', 'two', 'three'].map(name => processes.start('writer.mjs', { path: folder, keys: 200, inFlight: 50, name }));
      // At another moment of their work each time.
      await until(() => writers.every(writer => writer.lines.length > 1 + (round % 7)), 'all writers to be under way', 20_000);
      await Promise.all(writers.map(writer => writer.kill()));
      const acknowledgedNow = writers.flatMap(acknowledgedBy);
      acknowledged.push(...acknowledgedNow);
      await put(table, { survivor: `${round}` });
      const loggedNow = loggedAfter(table, before);
      expect(acknowledgedNow.filter(([revision, key]) => !isPut(loggedNow.get(revision), key))).toEqual([]);
    }
    expect(faults(table)).toEqual([]);
    const logged = loggedAfter(table, 0);
    // Writers that are seen late by a busy machine may write more than the history keeps; then its beginning is trimmed.
    const { head } = table.view();
    const [oldest = 0] = logged.keys();
    expect(logged.size).toBe(head - oldest + 1);
    expect(logged.size).toBeGreaterThanOrEqual(Math.min(head, 100_000));
    expect(acknowledged.filter(([revision, key]) => revision >= oldest && !isPut(logged.get(revision), key))).toEqual([]);
    expect(acknowledged.length).toBeGreaterThan(20 * 3 * 50);
    // Each row holds the revision that its writer gave it.
    expect(
      [...table.view().rows('one/', undefined)].filter(row => row.key !== 'survivor' && text(row.value) !== `${row.revision}`),
    ).toEqual([]);
    await table.close();
    expect(await inspect(folder)).toMatchObject({ verdict: 'healthy', problems: [] });
    const again = await tables.open(folder);
    expect(faults(again)).toEqual([]);
    expect(contents(again.view())).toContain('survivor=19');
  });
});

function loggedAfter(table: Table, revision: number): Map<number, readonly Logged[]> {
  return new Map([...table.view().log(revision)].map(record => [record.revision, record.changes]));
}

function isPut(changes: readonly Logged[] | undefined, key: string): boolean {
  const [change] = changes ?? [];
  return change !== undefined && 'put' in change && change.put === key;
}
