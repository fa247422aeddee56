/** Sentinels that make another server master: what calls, watches and locks make of it. */
import { expect, test } from 'vitest';
import { redis } from '../../../src/backends/redis/index.js';
import { createStore, KvError, retryTransient, type Snapshot, type Store } from '../../../src/index.js';
import { type RedisSentinel, startRedisSentinel } from '../../servers/redis-sentinel.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { pairsOf, refused } from './scene.js';

function storeOf(sentinel: RedisSentinel, options: { readonly waitReplicas?: number } = {}): Store {
  const hosts = sentinel.sentinels.map(({ host }) => host);
  return createStore(redis({ hosts, sentinel: sentinel.masterName, root: 'app', ...options }), { timeout: 1000, silence: 2000 });
}

/** Puts until one is acknowledged; ms that it took. */
async function wrote(store: Store, key: string): Promise<number> {
  const began = performance.now();
  await until('a put', async () => store.put(key, 'x').then(() => true));
  return performance.now() - began;
}

describeProgram('redis', 'Redis behind sentinels', found => {
  for (const fault of ['killed', 'stopped'] as const) {
    test(`a master that is ${fault}: calls, watches and locks go on with the one that takes its place`, async () => {
      await using sentinel = await startRedisSentinel(found);
      await using store = storeOf(sentinel);
      let tree: Snapshot | undefined;
      const errors: unknown[] = [];
      const watching = store
        .watchTree$('')
        .pipe(retryTransient({ first: 50, most: 200, onRetry: ({ error }) => errors.push(error) }))
        .subscribe(snapshot => (tree = snapshot));
      await store.put('before', 'x');
      const held = await store.lock('job', { ttl: 20_000 });
      const first = await sentinel.master();
      await until('the replica to have it all', async () => {
        const [, replica] = sentinel.servers;
        return (await replica?.command(['DBSIZE'])) === (await first.command(['DBSIZE']));
      });
      await (fault === 'killed' ? first.kill() : first.pause());
      expect(await wrote(store, 'after')).toBeLessThan(10_000);
      await until('the watch to go on', () => tree?.has('after') === true && tree.has('before'));
      expect(errors.every(error => KvError.is(error) && error.transient)).toBe(true);
      expect((await store.health()).leader).toBe((await sentinel.master(first)).host);
      await store.put('fenced', 'x', { lock: held });
      await held.release();
      await (await store.lock('job', { wait: 0 })).release();
      // The old master comes back as a replica; nobody writes to it.
      if (fault === 'killed') await first.start();
      else first.resume();
      // Sentinels take their time to make a replica of it.
      await until('it to follow', async () => ((await first.command(['ROLE'])) as unknown[])[0] === 'slave', { within: 45_000 });
      await wrote(store, 'later');
      await until('the watch to see it', () => tree?.has('later') === true);
      expect(pairsOf(await store.list(''))).toEqual(pairsOf(tree ?? []));
      watching.unsubscribe();
    }, 90_000);
  }

  test('pitfall 21: what a fail-over loses is seen as the state that there is, also where revisions go back', async () => {
    await using sentinel = await startRedisSentinel(found);
    await using store = storeOf(sentinel);
    const [master, replica] = sentinel.servers;
    if (master === undefined || replica === undefined) throw new Error('a master and a replica');
    const seen: Record<string, string>[] = [];
    const watching = store
      .watchTree$('')
      .pipe(retryTransient({ first: 50, most: 200 }))
      .subscribe(tree => seen.push(pairsOf(tree)));
    await store.put('k', 'replicated');
    await until('the replica to have it', async () => (await replica.command(['GET', 'app/k'])) === 'replicated');
    const held = await store.lock('job', { ttl: 30_000 });
    await replica.kill();
    await store.put('k', 'lost');
    await store.put('gone', 'x');
    await until('the watch to see it', () => seen.at(-1)?.gone === 'x');
    await master.kill();
    await replica.start();
    await until('the watch to say what is left', () => JSON.stringify(seen.at(-1)) === JSON.stringify({ k: 'replicated' }), {
      within: 15_000,
    });
    await until('the connection', async () => store.exists('k'));
    expect((await store.get('k'))?.value.length).toBe('replicated'.length);
    expect(typeof held.held).toBe('boolean');
    await wrote(store, 'k');
    watching.unsubscribe();
  }, 60_000);

  test('a lock that waits for a replica is had while there is one, and was not had once there is none', async () => {
    await using sentinel = await startRedisSentinel(found);
    await using store = storeOf(sentinel, { waitReplicas: 1 });
    const lock = await store.lock('job');
    const [, replica] = sentinel.servers;
    if (replica === undefined) throw new Error('a replica');
    expect(((await replica.command(['KEYS', 'app/~rxkv/job/*-*'])) as string[]).length).toBe(1);
    await lock.release();
    replica.pause();
    expect((await refused(store.lock('job'))).code).toBe('unavailable');
    replica.resume();
  }, 60_000);

  test('sentinels that know no such master, or cannot be reached, are an error that says so, in time', async () => {
    await using sentinel = await startRedisSentinel(found);
    const hosts = sentinel.sentinels.map(({ host }) => host);
    await using store = createStore(redis({ hosts, sentinel: 'nobody' }), { timeout: 5000 });
    const error = await refused(store.get('k'));
    expect([error.code, error.message]).toEqual(['invalid', 'the sentinels know no master of that name']);
    await using partly = createStore(redis({ hosts: ['127.0.0.1:1', ...hosts], sentinel: sentinel.masterName }), { timeout: 2000 });
    await partly.put('k', '1');
    await using lost = createStore(redis({ hosts: '127.0.0.1:1', sentinel: 'x' }), { timeout: 1500 });
    expect((await refused(lost.get('k'))).transient).toBe(true);
  }, 60_000);
});
