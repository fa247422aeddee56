import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { lmdb } from '../../../src/backends/lmdb/index.js';
import { quietFor, until } from '../../../src/conformance/waiting.js';
import type { Leader, Store } from '../../../src/interface.js';
import { diff } from '../../../src/operators/diff.js';
import { createStore } from '../../../src/store.js';
import { text } from '../../../src/text.js';
import { Folders } from './folders.js';
import { Processes, type RunningProcess } from './processes.js';

const folders = new Folders();
const processes = new Processes();
const stores: Store[] = [];

function open(path: string): Store {
  const store = createStore(lmdb({ path }));
  stores.push(store);
  return store;
}

function actor(role: string, path: string, more: object = {}): RunningProcess {
  return processes.start('actor.mjs', { role, path, ...more });
}

afterEach(async () => {
  await processes.end();
  await Promise.all(stores.splice(0).map(store => store.close()));
  folders.end();
});

describe('a lock across processes', () => {
  test('is taken over after its holder was killed with -9, with a higher fence', async () => {
    const path = folders.fresh();
    const holder = actor('holder', path, { key: 'job', ttl: 600 });
    const { held } = await holder.next<{ held: string }>('held');
    await expect(open(path).lock('job', { wait: 0 })).rejects.toMatchObject({ code: 'conflict' });
    await holder.kill();
    const lock = await open(path).lock('job', { wait: 10_000 });
    expect(lock.fence).toBeGreaterThan(BigInt(held));
  });

  test('guarantee 5: a holder that was stopped beyond its lease finds it lost on its first look, and cannot write', async () => {
    const path = folders.fresh();
    const holder = actor('holder', path, { key: 'job', ttl: 600 });
    const { held } = await holder.next<{ held: string }>('held');
    holder.signal('SIGSTOP');
    const store = open(path);
    const rival = await store.lock('job', { wait: 10_000 });
    expect(rival.fence).toBeGreaterThan(BigInt(held));
    holder.send({ look: true });
    holder.signal('SIGCONT');
    const { looked } = await holder.next<{ looked: object }>('looked');
    expect(looked).toMatchObject({ held: false, aborted: true, write: 'conflict' });
    expect(await store.get('job/written')).toBeUndefined();
    expect(rival.held).toBe(true);
  });

  test('leadership goes from process to process as leaders are killed, and its fence grows', async () => {
    const path = folders.fresh();
    const store = open(path);
    const seen: (Leader | undefined)[] = [];
    store.leader$('office').subscribe(leader => seen.push(leader));
    const candidates = new Map(['a', 'b', 'c'].map(id => [id, actor('candidate', path, { key: 'office', ttl: 500, id })]));
    const fences: bigint[] = [];
    for (let round = 0; round < 3; round++) {
      await until(() => seen.at(-1) !== undefined && seen.at(-1)?.fence !== fences.at(-1), `leader ${round + 1}`, 15_000);
      const leader = seen.at(-1) as Leader;
      fences.push(leader.fence);
      await candidates.get(leader.id)?.kill();
      candidates.delete(leader.id);
    }
    expect(candidates.size).toBe(0);
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => (a < b ? -1 : 1)));
    await until(() => seen.at(-1) === undefined, 'nobody to lead once all are dead', 15_000);
  }, 60_000);
});

describe('a writer that is killed with -9 in the midst of it', () => {
  test('leaves every acknowledged write and no half of one, 10 times over', async () => {
    const path = folders.fresh();
    for (let round = 0; round < 10; round++) {
      const writer = actor('writer', path, { name: `round-${round}` });
      await until(() => writer.lines.length >= 3, 'three turns of writes', 20_000);
      await writer.kill();
      const acked = Number(writer.lines.at(-1)?.['acked']);
      const store = open(path);
      const whole = await store.list('');
      for (let i = 0; i < 50; i++) {
        const left = text(whole.get(`left/round-${round}-${i}`));
        expect(text(whole.get(`right/round-${round}-${i}`))).toBe(left);
        expect(Number(left)).toBeGreaterThanOrEqual(acked);
      }
      await store.close();
    }
  }, 180_000);
});

describe('a watch across processes', () => {
  test('shows what another process writes, and ends up in its state', async () => {
    const path = folders.fresh();
    const store = open(path);
    const model = new Map<string, string>();
    const watched = new Map<string, string>();
    const watcher = actor('watcher', path, { directory: 'config' });
    await watcher.next('watching');
    for (let i = 0; i < 300; i++) {
      const key = `config/${i % 17}`;
      if (i % 5 === 4) {
        await store.delete(key);
        model.delete(key);
      } else {
        await store.put(key, `${i}`);
        model.set(key, `${i}`);
      }
    }
    const fold = (): boolean => {
      watched.clear();
      for (const { event, value } of watcher.lines as { event?: string; value?: string }[]) {
        const [type, key] = event?.split(' ') ?? [];
        if (key === undefined) continue;
        if (type === 'deleted') watched.delete(key);
        else watched.set(key, value as string);
      }
      return watched.size === model.size && [...model].every(([key, value]) => watched.get(key) === value);
    };
    await until(fold, 'the watcher to end up in the state of the store', 10_000);
    watcher.send({ close: true });
    await watcher.finished();
  });

  test('shows the expiry of a key whose writer is dead', async () => {
    const path = folders.fresh();
    const store = open(path);
    const events: string[] = [];
    store
      .watchTree$('')
      .pipe(diff())
      .subscribe(({ type, key }) => events.push(`${type} ${key}`));
    await actor('mayfly', path, { key: 'mayfly', ttl: 700 }).exit;
    await until(() => events.length === 2, 'the key to come and go', 10_000);
    expect(events).toEqual(['added mayfly', 'deleted mayfly']);
  });

  test('goes on through a second store in this process, also through a symbolic link', async () => {
    const path = folders.fresh();
    const link = join(folders.fresh(), 'link.to.it');
    symlinkSync(path, link);
    const events: string[] = [];
    open(path)
      .watchTree$('')
      .pipe(diff())
      .subscribe(({ type, key }) => events.push(`${type} ${key}`));
    await open(link).put('a', '1');
    await open(path).delete('a');
    await until(() => events.length === 2, 'both writes', 5000);
    expect(events).toEqual(['added a', 'deleted a']);
  });
});

test('counting in three processes and two worker threads loses nothing', async () => {
  const path = join(folders.fresh(), 'with.a.dot');
  const times = 60;
  const argument = { role: 'counter', path, key: 'hits', times };
  const counters = [1, 2, 3].map(() => processes.start('actor.mjs', argument));
  const threads = [1, 2].map(() => new Worker(new URL('actor.mjs', import.meta.url), { argv: [JSON.stringify(argument)], stdout: true }));
  const ended = threads.map(thread => new Promise<number>((resolve, reject) => thread.on('exit', resolve).on('error', reject)));
  await Promise.all(counters.map(counter => counter.finished(60_000)));
  expect(await Promise.all(ended)).toEqual([0, 0]);
  expect(text(await open(path).get('hits'))).toBe(`${times * 5}`);
}, 120_000);

test('stores that are opened and closed amid the traffic of others neither hang nor fail', async () => {
  const path = folders.fresh();
  const reopeners = [1, 2, 3].map(() => actor('reopener', path, { times: 12 }));
  await Promise.all(reopeners.map(reopener => reopener.finished(90_000)));
}, 120_000);

describe('guarantee 12: a process', () => {
  test('ends by itself after close()', async () => {
    const passerBy = actor('passerBy', folders.fresh(), { close: true });
    await passerBy.next('done');
    await passerBy.finished(2000);
  });

  test('ends by itself when nothing is live any more, also without close()', async () => {
    const passerBy = actor('passerBy', folders.fresh(), { close: false });
    await passerBy.next('done');
    await passerBy.finished(5000);
  });

  test('lives on while a watch is live', async () => {
    const watcher = actor('watcher', folders.fresh(), { directory: '' });
    await watcher.next('watching');
    let over = false;
    void watcher.exit.then(() => (over = true));
    await quietFor(500, 'a watch keeps its process alive');
    expect(over).toBe(false);
    watcher.send({ close: true });
    await watcher.finished();
  });
});

describe.each(['lmdb', 'memory'])('guarantee 4: on %s', backend => {
  test('1,000 times of subscribing and unsubscribing leave no handle, and less than 1 MB', async () => {
    const subscriber = processes.start('subscriber.mjs', { backend, path: folders.fresh(), cycles: 1000 });
    const { grew, before, after } = await subscriber.next<{ grew: number; before: string[]; after: string[] }>('grew', 60_000);
    expect([before, after]).toEqual([[], []]);
    expect(grew).toBeLessThan(1_000_000);
    await subscriber.finished();
  }, 90_000);
});
