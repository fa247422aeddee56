/** Locks: who wakes, what is told in time, and what a loss of data comes to. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Lock } from '../../../src/index.js';
import { startRedis } from '../../servers/redis.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { refused, Scene } from './scene.js';

describeProgram('redis', 'locks of Redis', found => {
  test('pitfall 27: the lock of a holder that is cut off is had when its ttl is over, of which Redis says nothing in time', async () => {
    await using scene = new Scene(await startRedis(found));
    await scene.server.command(['EVAL', "for i = 1, 20000 do redis.call('SET', 'noise/' .. i, 'x', 'EX', 3600) end", '0']);
    const proxy = scene.proxy();
    const [holder, waiter] = [scene.store({ hosts: proxy.host }), scene.store()];
    const held = await holder.lock('job', { ttl: 500 });
    let acquiredAt = 0;
    const waiting = waiter.lock('job', { ttl: 5000 }).then(lock => {
      acquiredAt = performance.now();
      return lock;
    });
    await until('both to stand in the queue', async () => (await scene.server.command(['ZCARD', '~rxkv/job/queue'])) === 3);
    await proxy.refuse();
    proxy.cut();
    const [record = ''] = (await scene.server.command(['ZRANGE', '~rxkv/job/queue', '0', '0'])) as string[];
    const left = Number(await scene.server.command(['PTTL', `~rxkv/job/${record}`]));
    const due = performance.now() + left;
    const lock = await waiting;
    expect(acquiredAt - due).toBeLessThan(50);
    expect(acquiredAt - due).toBeGreaterThan(-10);
    expect(lock.fence).toBeGreaterThan(held.fence);
    await until('the holder to be told', () => held.signal.aborted);
    await lock.release();
  });

  test('pitfall 28: who has lost the lock can neither keep nor release it', async () => {
    await using scene = new Scene(await startRedis(found));
    const proxy = scene.proxy();
    const [holder, other] = [scene.store({ hosts: proxy.host }, { timeout: 500 }), scene.store()];
    const lost = await holder.lock('job', { ttl: 300 });
    await proxy.refuse();
    proxy.cut();
    const held = await other.lock('job', { ttl: 5000 });
    await proxy.heal();
    await lost.release();
    await pause(100);
    expect([lost.held, held.held]).toEqual([false, true]);
    expect((await refused(other.lock('job', { wait: 0 }))).code).toBe('conflict');
    await held.release();
  });

  test('a release wakes the next in line and no other: the work of a queue is linear', async () => {
    await using scene = new Scene(await startRedis(found));
    const stores = Array.from({ length: 10 }, () => scene.store());
    const first = await scene.store().lock('busy');
    const order: bigint[] = [];
    const turns = Array.from({ length: 40 }, async (_, i) => {
      await stores[i % 10]?.withLock('busy', async lock => void order.push(lock.fence));
    });
    await until('all to stand in the queue', async () => (await scene.server.command(['ZCARD', '~rxkv/busy/queue'])) === 42);
    const calls = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await scene.server.command(['INFO', 'commandstats'])))?.[1]);
    const before = await calls();
    await first.release();
    await Promise.all(turns);
    expect(order).toEqual([...order].sort((a, b) => (a < b ? -1 : 1)));
    // For each turn: it looks, is granted, leaves the queue, ends its session. A herd would be 40 times 20.
    expect((await calls()) - before).toBeLessThan(40 * 6);
  });

  test('after a FLUSHALL the holder is told at once, and the next fence is higher', async () => {
    await using scene = new Scene(await startRedis(found));
    const [holder, other] = [scene.store(), scene.store()];
    const held = await holder.lock('job');
    await scene.server.command(['FLUSHALL']);
    await until('the holder to be told', () => held.signal.aborted, { within: 1000 });
    const next = await other.lock('job');
    expect(next.fence).toBeGreaterThan(held.fence);
    expect((await refused(holder.put('k', 'x', { lock: held }))).code).toBe('conflict');
    await next.release();
  });

  test('fences grow though the clock of the server goes back', async () => {
    await using scene = new Scene(await startRedis(found));
    const store = scene.store();
    await (await store.lock('job')).release();
    const ahead = '8000000000000000';
    await scene.server.command(['ZADD', '~rxkv/job/queue', ahead, '']);
    const lock = await store.lock('job');
    expect(lock.fence).toBe(BigInt(ahead) + 1n);
    await lock.release();
  });

  test('a lock that waits for replicas which are not there is not had, and leaves no record behind', async () => {
    await using scene = new Scene(await startRedis(found));
    const store = scene.store({ waitReplicas: 1 }, { timeout: 1500 });
    const error = await refused(store.lock('job'));
    expect([error.code, error.message]).toEqual(['unavailable', '0 of 1 replicas have the record of the lock']);
    await until('no record', async () => ((await scene.server.command(['KEYS', '~rxkv/job/*-*'])) as string[]).length === 0);
    await (await scene.store().lock('job', { wait: 0 })).release();
  });

  test('locks named like records of ours are locks like others', async () => {
    await using scene = new Scene(await startRedis(found));
    const store = scene.store();
    await store.put('k', '1');
    const held: Lock[] = [];
    for (const name of ['rev:{k}', 'session:{k}', 'index:{}', 'queue', 'a/queue', 'rev:{']) held.push(await store.lock(name));
    expect(held.every(lock => lock.held)).toBe(true);
    for (const { key } of held) expect((await refused(scene.store().lock(key, { wait: 0 }))).code).toBe('conflict');
    expect([...(await store.list('')).keys()]).toEqual(['k']);
    await store.put('k', '2', { lock: held[0] as Lock });
  });
});
