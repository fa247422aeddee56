import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { sweep, Sweeper, untilNext } from '../../../src/backends/local/sweep.js';
import type { Table, View } from '../../../src/backends/local/table.js';
import { Writer } from '../../../src/backends/local/writer.js';
import { KvError } from '../../../src/errors.js';
import { boot, put, Scene } from './scene.js';
import { Keepers } from './timers.js';

const keysOf = (scene: Scene): string[] => [...scene.storage.rows('', undefined)].map(({ key }) => key);

describe('a sweep', () => {
  test('removes what is due and tells the log, and nothing that was written anew', () => {
    const scene = new Scene();
    scene.commit([
      put('due', '', { ttl: 500 }),
      put('later', '', { ttl: 501 }),
      put('renewed', '', { ttl: 500 }),
      put('permanent', '', { ttl: 500 }),
    ]);
    scene.commit([put('renewed', '', { ttl: 900 }), put('permanent')]);
    scene.at = { ...scene.at, wall: 1500 };
    expect(scene.batch(sweep)).toEqual([1]);
    expect(keysOf(scene)).toEqual(['later', 'permanent', 'renewed']);
    expect([...scene.storage.log(2)]).toEqual([{ revision: 3, changes: [{ delete: 'due' }] }]);
    expect(scene.batch(sweep)).toEqual([0]);
    expect(scene.written).toBeUndefined();
  });

  test('ends dead sessions with the keys that are still their own', () => {
    const scene = new Scene();
    const [dead, live] = [scene.begin('dead', 2000), scene.begin('live', 3000)];
    scene.commit([
      put('a', '', { session: dead }),
      put('b', '', { session: dead }),
      put('c', '', { session: dead }),
      put('d', '', { session: live }),
    ]);
    scene.commit([put('b', '', { session: live }), put('c')]);
    scene.at = { ...scene.at, monotonic: 2000 };
    expect(scene.batch(sweep)).toEqual([2]);
    expect(keysOf(scene)).toEqual(['b', 'c', 'd']);
    expect([...scene.storage.sessions()].map(({ id }) => id)).toEqual(['live']);
    expect([...scene.storage.log(2)]).toEqual([{ revision: 3, changes: [{ delete: 'a' }] }]);
  });

  test('takes a thousand keys at a time, and a session only once all of its keys are gone', () => {
    const scene = new Scene();
    const session = scene.begin('s', 2000);
    const numbered = (name: string): string[] => Array.from({ length: 700 }, (_, i) => `${name}/${i}`);
    scene.commit([...numbered('ttl').map(key => put(key, '', { ttl: 10 })), ...numbered('s').map(key => put(key, '', { session }))]);
    scene.at = { ...scene.at, wall: 5000, monotonic: 5000 };
    expect(scene.batch(sweep)).toEqual([1000]);
    expect([keysOf(scene).length, scene.storage.session('s')?.id]).toEqual([400, 's']);
    expect(scene.batch(sweep)).toEqual([401]);
    expect([keysOf(scene).length, scene.storage.session('s')]).toEqual([0, undefined]);
  });

  test('the next one is due when the first key or session is', () => {
    const scene = new Scene();
    const left = (): number => untilNext(scene.storage, scene.at);
    expect(left()).toBe(Infinity);
    scene.commit([put('a', '', { ttl: 500 })]);
    expect(left()).toBe(500);
    scene.begin('s', 1300);
    expect(left()).toBe(300);
    scene.batch(draft => draft.putSession({ id: 'old', ttl: 100, deadline: 9000, boot: `not ${boot}` }));
    expect(left()).toBe(0);
  });
});

describe('the sweeper', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** A sweeper over a table whose commits are counted, and by which others write unnoticed. */
  function start(every: number, more: Partial<Table> = {}): { scene: Scene; sweeper: Sweeper; commits: () => number } {
    const scene = new Scene();
    let commits = 0;
    const table: Table = Object.assign(scene.table, {
      commit: async (prepare: Parameters<Table['commit']>[0]) => {
        commits++;
        scene.storage.commit(prepare);
      },
      ...more,
    });
    const sweeper = new Sweeper(table, new Writer(table, () => {}), every);
    return { scene, sweeper, commits: () => commits };
  }

  /** Moves the clock of the scene to where the timers are. */
  function sync(scene: Scene): void {
    scene.at = { ...scene.at, wall: Date.now(), monotonic: performance.now() };
  }

  test('is woken by what a batch wrote that has an end, at the time', async () => {
    const { scene, sweeper } = start(Infinity);
    sync(scene);
    scene.commit([put('a', '', { ttl: 300 }), put('b', '', { ttl: 100 }), put('c')]);
    if (scene.written !== undefined) sweeper.wrote(scene.written);
    await vi.advanceTimersByTimeAsync(99);
    expect(keysOf(scene)).toEqual(['a', 'b', 'c']);
    await vi.advanceTimersByTimeAsync(1);
    expect(keysOf(scene)).toEqual(['a', 'c']);
    await vi.advanceTimersByTimeAsync(200);
    expect(keysOf(scene)).toEqual(['c']);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('finds what others wrote by looking, and writes only when something is due', async () => {
    const { scene, commits, sweeper } = start(1000);
    await vi.advanceTimersByTimeAsync(1000);
    expect(commits()).toBe(0);
    // The first look found nothing and the second comes after a second: told of nothing, it is in time by itself.
    scene.at = { ...scene.at, wall: Date.now() };
    scene.commit([put('a', '', { ttl: 10 })]);
    await vi.advanceTimersByTimeAsync(1000);
    expect([keysOf(scene), commits()]).toEqual([[], 1]);
    sweeper.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('looks at a row that somebody else has written when it is seen', async () => {
    const { scene, sweeper } = start(1000);
    sync(scene);
    const session = scene.begin('s', performance.now() + 50);
    scene.commit([put('a', '', { session }), put('b', '', { ttl: 80 })]);
    for (const row of scene.storage.rows('', undefined)) sweeper.saw(row, scene.storage);
    await vi.advanceTimersByTimeAsync(50);
    expect(keysOf(scene)).toEqual(['b']);
    await vi.advanceTimersByTimeAsync(30);
    expect(keysOf(scene)).toEqual([]);
  });

  test('a ttl of a year takes no timer over what timers can count', async () => {
    const { scene, sweeper, commits } = start(Infinity);
    sync(scene);
    scene.commit([put('a', '', { ttl: 366 * 86_400_000 })]);
    if (scene.written !== undefined) sweeper.wrote(scene.written);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([keysOf(scene), commits()]).toEqual([['a'], 0]);
    // The clock is set on by more than a year: whoever watches need not wait for as long.
    vi.setSystemTime(Date.now() + 400 * 86_400_000);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(keysOf(scene)).toEqual([]);
  });

  test('a sweep that fails is tried again, not at once', async () => {
    let tries = 0;
    const { scene, sweeper } = start(Infinity, {
      commit: async () => {
        tries++;
        throw new KvError('unavailable', 'no');
      },
    });
    sync(scene);
    scene.commit([put('a', '', { ttl: 10 })]);
    if (scene.written !== undefined) sweeper.wrote(scene.written);
    await vi.advanceTimersByTimeAsync(10);
    expect(tries).toBe(1);
    await vi.advanceTimersByTimeAsync(2000);
    expect(tries).toBe(3);
  });

  test('an index that is at odds with its rows does not spin', async () => {
    let looks = 0;
    const { scene } = start(Infinity, {
      view: () => (looks++, Object.assign(Object.create(scene.storage) as View, { nextExpiry: () => 1 })),
    });
    looks = 0;
    await vi.advanceTimersByTimeAsync(3000);
    expect(looks).toBeLessThan(8);
  });

  test('keeps no process alive by itself', () => {
    vi.useRealTimers();
    const keepers = new Keepers();
    onTestFinished(() => keepers.restore());
    const { sweeper } = start(1000);
    expect(setTimeout).toHaveBeenCalledTimes(1);
    expect(keepers.count).toBe(0);
    sweeper.close();
  });
});
