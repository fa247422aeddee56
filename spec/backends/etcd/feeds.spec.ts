/** Feeds under faults: each revision once and in order, whatever is cut; a server that lost its data says the state anew. */
import { afterEach, expect, test } from 'vitest';
import { etcd } from '../../../src/backends/etcd/index.js';
import type { Feed } from '../../../src/driver.js';
import { silent } from '../../../src/logger.js';
import { createStore, type Snapshot, text } from '../../../src/index.js';
import { startProxy } from '../../faults/proxy.js';
import { startEtcd } from '../../servers/etcd.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { ask } from '../../servers/ask.js';

const call = { timeout: 5000 };
const context = { timeout: 5000, silence: 2000, logger: silent, ending: (): void => undefined };

describeProgram('etcd', 'feeds of etcd under faults', found => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  test('pitfall 2: 20,000 revisions with random cuts: none is missing, none comes twice, none out of order', async () => {
    await using server = await startEtcd(found);
    await using proxy = startProxy(server.host);
    const [reader, writer] = [etcd({ hosts: proxy.host, root: 'cuts' }), etcd({ hosts: server.host, root: 'cuts' })];
    for (const driver of [reader, writer]) {
      driver.start(context);
      closing.push(() => driver.close());
    }
    const seen: bigint[] = [];
    let resets = 0;
    let failure: unknown;
    const feed = reader.feed$({ prefix: '' }).subscribe({
      next: (message: Feed) => {
        if (message.type === 'reset') resets++;
        if (message.type === 'patch') for (const change of message.changes) if ('put' in change) seen.push(change.put.revision);
      },
      error: (error: unknown) => {
        failure = error;
      },
    });
    await until('the first reset', async () => resets === 1);
    // Larger than one answer while a watch catches up (1,000 revisions): a smaller one would never get through.
    proxy.cutAtRandom(7, 3_000_000);
    let cuts = 0;
    const value = new Uint8Array(200);
    const revisions = new Set<bigint>();
    for (let n = 0; n < 20_000; ) {
      // Awaited in pairs of a key: each put is a revision of its own but for what is coalesced.
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          writer.commit(
            {
              checks: [],
              ops: [
                { put: `k${i}`, value },
                { put: `twin${i}`, value },
              ],
            },
            call,
          ),
        ),
      );
      for (const outcome of outcomes) if (outcome.ok) revisions.add(outcome.results[0]?.entry?.revision ?? 0n);
      n += outcomes.length;
      if (n % 500 === 0) {
        cuts++;
        proxy.cut();
      }
    }
    await until('all revisions to be told', async () => failure !== undefined || seen.length >= revisions.size * 2, { within: 30_000 });
    feed.unsubscribe();
    expect(failure).toBeUndefined();
    expect(revisions.size).toBe(20_000);
    expect(resets).toBe(1);
    expect(seen.length).toBe(40_000);
    expect(new Set(seen)).toEqual(revisions);
    for (let i = 1; i < seen.length; i++) if ((seen[i] as bigint) < (seen[i - 1] as bigint)) throw new Error('out of order');
    expect(cuts).toBeGreaterThanOrEqual(20);
  }, 120_000);

  test('pitfall 4: a server that lost its data is a new snapshot, without an error', async () => {
    await using server = await startEtcd(found);
    const store = createStore(etcd({ hosts: server.host, root: 'lost' }), { silence: 10_000 });
    closing.push(() => store.close());
    for (let i = 0; i < 20; i++) await store.put(`k${i}`, 'x');
    let last: Snapshot | undefined;
    let failure: unknown;
    store.watchTree$('').subscribe({ next: tree => (last = tree), error: (error: unknown) => (failure = error) });
    await until('the first snapshot', async () => last?.size === 20);
    await server.restart('lost');
    await until('the empty snapshot', async () => failure !== undefined || last?.size === 0, { within: 10_000 });
    expect(failure).toBeUndefined();
    await store.put('new', 'x');
    await until('what is written afterwards', async () => last?.has('new') === true);
  }, 30_000);

  test('pitfall 7: a server that is stopped for 4 s: an error within silence, then everything', async () => {
    await using server = await startEtcd(found);
    const store = createStore(etcd({ hosts: server.host, root: 'stop' }), { silence: 2000, timeout: 1000 });
    closing.push(() => store.close());
    await store.put('k', '1');
    let last: Snapshot | undefined;
    let failedAt: number | undefined;
    store.watchTree$('').subscribe({ next: tree => (last = tree), error: () => (failedAt = performance.now()) });
    await until('the first snapshot', async () => last?.size === 1);
    const began = performance.now();
    server.pause();
    try {
      await expect(store.get('k')).rejects.toMatchObject({ code: 'timeout' });
      await until('the silence to be an error', async () => failedAt !== undefined, { within: 4000 });
      expect((failedAt ?? 0) - began).toBeLessThanOrEqual(3000);
      await until('4 s to pass', async () => performance.now() - began > 4000, { within: 6000 });
    } finally {
      server.resume();
    }
    await until('an answer', async () => (await store.get('k').catch(() => undefined)) !== undefined, { within: 8000 });
    expect(text(await store.put('k', '2'))).toBe('2');
  }, 40_000);

  test('pitfall 15: a backlog and a tree of 8 MB', async () => {
    await using server = await startEtcd(found);
    const driver = etcd({ hosts: server.host, root: 'large' });
    driver.start(context);
    closing.push(() => driver.close());
    const value = new Uint8Array(100_000);
    const { revision } = await driver.list({ prefix: '' }, { ...call, consistency: 'strong' });
    for (let i = 0; i < 80; i++) await driver.commit({ checks: [], ops: [{ put: `k${i}`, value }] }, call);
    expect((await driver.list({ prefix: '' }, { ...call, consistency: 'strong' })).entries.length).toBe(80);
    let told = 0;
    let resets = 0;
    const feed = driver.feed$({ prefix: '' }, revision).subscribe(message => {
      if (message.type === 'reset') resets++;
      if (message.type === 'patch') told += message.changes.length;
    });
    await until('the backlog', async () => told === 80, { within: 10_000 });
    feed.unsubscribe();
    expect(resets).toBe(0);
  }, 40_000);

  test('pitfall 14: nothing is left on the server once everybody has unsubscribed', async () => {
    await using server = await startEtcd(found);
    const store = createStore(etcd({ hosts: server.host, root: 'left' }));
    closing.push(() => store.close());
    const subscriptions = Array.from({ length: 200 }, (_, i) => store.watchTree$(`d${i}`).subscribe());
    const watchers = async (): Promise<string | undefined> =>
      /^etcd_debugging_mvcc_watcher_total (\d+)$/m.exec((await ask(`${server.url}/metrics`)).body)?.[1];
    await until('all watches', async () => (await watchers()) === '200', { within: 10_000 });
    const streams = /^etcd_debugging_mvcc_watch_stream_total (\d+)$/m.exec((await ask(`${server.url}/metrics`)).body)?.[1];
    expect(streams).toBe('1');
    const held = await store.lock('job');
    await held.release();
    for (const subscription of subscriptions) subscription.unsubscribe();
    await until('no watches', async () => (await watchers()) === '0', { within: 5000 });
    const { body } = await server.call('lease/leases', {});
    expect((JSON.parse(body) as { leases?: unknown[] }).leases ?? []).toEqual([]);
  }, 40_000);
});
