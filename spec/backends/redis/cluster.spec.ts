/** A cluster: keys in many slots, slots that move, and a master whose replica takes its place. */
import { expect, test } from 'vitest';
import { redis } from '../../../src/backends/redis/index.js';
import { slotOf } from '../../../src/backends/redis/slot.js';
import { createStore, retryTransient, type Snapshot, type Store } from '../../../src/index.js';
import { type RedisCluster, startRedisCluster } from '../../servers/redis-cluster.js';
import type { Program } from '../../servers/found.js';
import { freePorts } from '../../servers/ports.js';
import { type Redis, startWith } from '../../servers/redis.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { pairsOf, refused } from './scene.js';

function storeOf(cluster: RedisCluster, root: string): Store {
  return createStore(redis({ hosts: [...cluster.hosts], cluster: true, root }), { timeout: 2000, silence: 3000 });
}

interface Watching {
  readonly tree: () => Snapshot | undefined;
  readonly end: () => void;
}

function watch(store: Store): Watching {
  let tree: Snapshot | undefined;
  const subscription = store
    .watchTree$('')
    .pipe(retryTransient({ first: 50, most: 200 }))
    .subscribe(snapshot => (tree = snapshot));
  return { tree: () => tree, end: () => subscription.unsubscribe() };
}

/** A master more, which serves no slot. */
async function joined(found: Program, cluster: RedisCluster): Promise<Redis> {
  const [port = 0, bus = 0] = await freePorts(2);
  const lines = { 'cluster-enabled': 'yes', 'cluster-node-timeout': 1500, 'cluster-port': bus };
  const fresh = await startWith(found, { name: 'redis node 5', port, lines });
  const first = cluster.masters[0] as Redis;
  const door = /@(\d+) myself/.exec(String(await first.command(['CLUSTER', 'NODES'])))?.[1] ?? '';
  await fresh.command(['CLUSTER', 'MEET', '127.0.0.1', String(first.port), door]);
  const infos = async (): Promise<string[]> =>
    Promise.all([fresh, ...cluster.masters].map(async node => String(await node.command(['CLUSTER', 'INFO']))));
  await until('all to know it', async () => (await infos()).every(info => /cluster_state:ok[^]*known_nodes:5/.test(info)));
  return fresh;
}

/** A slot on its way from the master that owns it to another. */
interface Journey {
  readonly to: Redis;
  /** Moves some keys of it, as many as there are at most. */
  carry(most: number): Promise<void>;
  /** Moves the rest of them, and gives it to the other. */
  arrive(): Promise<void>;
}

/** Sends the slot of a name to a master that does not own it. */
async function journeyOf(cluster: RedisCluster, name: string, target?: Redis): Promise<Journey> {
  const slot = String(slotOf(name));
  const from = await cluster.ownerOf(name);
  const to = target ?? (cluster.masters.find(master => master !== from) as Redis);
  const [source = '', id = ''] = await Promise.all([from, to].map(async node => String(await node.command(['CLUSTER', 'MYID']))));
  await to.command(['CLUSTER', 'SETSLOT', slot, 'IMPORTING', source]);
  await from.command(['CLUSTER', 'SETSLOT', slot, 'MIGRATING', id]);
  const carry = async (most: number): Promise<void> => {
    const keys = (await from.command(['CLUSTER', 'GETKEYSINSLOT', slot, String(most)])) as string[];
    if (keys.length > 0) await from.command(['MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'REPLACE', 'KEYS', ...keys]);
  };
  return {
    to,
    carry,
    async arrive() {
      await carry(1000);
      for (const node of new Set([to, from, ...cluster.masters])) await node.command(['CLUSTER', 'SETSLOT', slot, 'NODE', id]);
    },
  };
}

describeProgram('redis', 'a cluster of Redis', found => {
  test('keys of all masters are listed, watched, deleted and locked; what crosses slots is refused before any write', async () => {
    await using cluster = await startRedisCluster(found);
    await using store = storeOf(cluster, 'app');
    const watching = watch(store);
    const keys = Array.from({ length: 60 }, (_, i) => (i % 10 === 0 ? `dir/{x}${i}` : i % 10 === 1 ? `dir/a}b${i}` : `dir/k${i}`));
    await Promise.all(keys.map(async key => store.put(key, key)));
    await until('the watch to have all', () => watching.tree()?.size === 60);
    expect([...(await store.list('dir')).keys()].length).toBe(60);
    const owners = new Set(await Promise.all(keys.map(async key => (await cluster.ownerOf(`app/${key}`)).port)));
    expect(owners.size).toBe(3);
    const ops = [
      { put: 'dir/k2', value: 'x' },
      { put: 'dir/k3', value: 'x' },
    ];
    expect((await refused(store.transaction({ ops }))).code).toBe('unsupported');
    const lock = await store.lock('job');
    const error = await refused(store.put('dir/k2', 'x', { lock }));
    expect([error.code, error.message.includes("'{my-app}'")]).toEqual(['unsupported', true]);
    expect(pairsOf(await store.list('dir'))['dir/k2']).toBe('dir/k2');
    await lock.release();
    await store.deleteTree('dir');
    await until('the watch to have none', () => watching.tree()?.size === 0);
    watching.end();
  }, 60_000);

  test('a deleteTree of which a step is not answered is given up after the timeout of that step', async () => {
    await using cluster = await startRedisCluster(found);
    // Long before the connections are taken for dead.
    const store = createStore(redis({ hosts: [...cluster.hosts], cluster: true, root: 'app' }), { timeout: 20_000, silence: 20_000 });
    await Promise.all(Array.from({ length: 20 }, async (_, i) => store.put(`dir/k${i}`, '')));
    const each = async (...command: string[]): Promise<unknown> => Promise.all(cluster.masters.map(async node => node.command(command)));
    // What is read is answered: the names are found.
    await each('CLIENT', 'PAUSE', '60000', 'WRITE');
    const began = performance.now();
    const error = await refused(store.deleteTree('dir', { timeout: 500 }));
    expect([error.code, error.outcome]).toEqual(['timeout', 'unknown']);
    expect(performance.now() - began).toBeLessThan(5000);
    await each('CLIENT', 'UNPAUSE');
    await store.close();
  }, 60_000);

  test('pitfall 20: while a slot moves from one master to another writes and watches go on', async () => {
    await using cluster = await startRedisCluster(found);
    await using store = storeOf(cluster, '{app}');
    const watching = watch(store);
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    await Promise.all(keys.map(async key => store.put(key, '0')));
    const slot = String(slotOf('{app}/'));
    const from = await cluster.ownerOf('{app}/');
    const to = cluster.masters.find(master => master !== from);
    if (to === undefined) throw new Error('another master');
    const ids = new Map(await Promise.all([from, to].map(async node => [node, String(await node.command(['CLUSTER', 'MYID']))] as const)));
    let going = true;
    let written = 0;
    const writing = (async (): Promise<void> => {
      for (let i = 0; going; i++) {
        await until('a put', async () => store.put(keys[i % 50] as string, String(i)).then(() => true));
        written++;
      }
    })();
    await to.command(['CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids.get(from) ?? '']);
    await from.command(['CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids.get(to) ?? '']);
    for (;;) {
      const some = (await from.command(['CLUSTER', 'GETKEYSINSLOT', slot, '20'])) as string[];
      if (some.length === 0) break;
      await from.command(['MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'REPLACE', 'KEYS', ...some]);
    }
    for (const node of [to, from]) await node.command(['CLUSTER', 'SETSLOT', slot, 'NODE', ids.get(to) ?? '']);
    const before = written;
    await until('more writes', () => written > before + 50);
    going = false;
    await writing;
    expect((await cluster.ownerOf('{app}/')).port).toBe(to.port);
    const state = pairsOf(await store.list(''));
    expect(Object.keys(state).length).toBe(50);
    await until('the watch to hold the same', () => JSON.stringify(pairsOf(watching.tree() ?? [])) === JSON.stringify(state));
    watching.end();
  }, 60_000);

  test('while a slot is on its way, its new master is sent the scripts that it does not know', async () => {
    await using cluster = await startRedisCluster(found);
    await using store = storeOf(cluster, 'app');
    await store.put('k', '1');
    const journey = await journeyOf(cluster, 'app/k');
    await journey.carry(2);
    await journey.to.command(['SCRIPT', 'FLUSH']);
    const entry = await store.put('k', '2');
    expect(await store.get('k')).toEqual(entry);
  }, 60_000);

  test('while the slot of a whole store is on its way, half of it is never taken for all', async () => {
    await using cluster = await startRedisCluster(found);
    for (const index of [false, true]) {
      const root = `{app${index}}`;
      await using store = createStore(redis({ hosts: [...cluster.hosts], cluster: true, root, index }), { timeout: 2000, silence: 3000 });
      const keys = Array.from({ length: 40 }, (_, i) => `${i < 20 ? 'a' : 'b'}/k${i}`);
      await Promise.all(keys.map(async key => store.put(key, 'x')));
      const journey = await journeyOf(cluster, `${root}/`);
      await journey.carry(30);
      const asked = [store.list(''), store.children('')] as const;
      const felling = store.deleteTree('a');
      await using other = createStore(redis({ hosts: [...cluster.hosts], cluster: true, root, index }), { timeout: 2000, silence: 3000 });
      const watching = watch(other);
      expect((await refused(other.list('', { timeout: 1000 }))).code).toBe('unavailable');
      await journey.arrive();
      expect((await asked[0]).size).toBe(40);
      expect((await asked[1]).map(({ name }) => name)).toEqual(['a', 'b']);
      await felling;
      expect([...(await store.list('')).keys()]).toEqual(keys.slice(20).sort());
      await until('the watch to have what is left', () => watching.tree()?.size === 20);
      watching.end();
    }
  }, 60_000);

  test('while the slot of a lock is on its way, nobody takes its holder for gone', async () => {
    await using cluster = await startRedisCluster(found);
    await using store = storeOf(cluster, 'app');
    const lock = await store.lock('job', { ttl: 20_000 });
    const waiting = store.lock('job', { ttl: 20_000 });
    const queue = 'app/~rxkv/{=job}/queue';
    await until('both to be in the queue', async () => (await (await cluster.ownerOf(queue)).command(['ZCARD', queue])) === 3);
    const journey = await journeyOf(cluster, queue);
    for (let i = 0; i < 5; i++) {
      await journey.carry(1);
      // Who looks now has part of it on each node.
      expect((await refused(store.lock('job', { wait: 200 }))).code).toBe('conflict');
      expect(lock.held).toBe(true);
    }
    await journey.arrive();
    await lock.release();
    const next = await waiting;
    expect(next.fence).toBeGreaterThan(lock.fence);
    await next.release();
  }, 60_000);

  test('what is on its way to a master without a slot, its first, is listed, watched and deleted all the while', async () => {
    await using cluster = await startRedisCluster(found);
    await using fresh = await joined(found, cluster);
    await using store = storeOf(cluster, 'app');
    const keys = Array.from({ length: 10 }, (_, i) => `dir/{same}${i}`);
    await Promise.all(keys.map(async key => store.put(key, '0')));
    const journey = await journeyOf(cluster, 'app/{same}', fresh);
    await journey.carry(20);
    await using other = storeOf(cluster, 'app');
    expect((await other.list('dir')).size).toBe(10);
    const watching = watch(other);
    await until('the watch to have all', () => watching.tree()?.size === 10);
    for (const key of keys) await store.put(key, '1');
    await until('the watch to hold what was written', () => Object.values(pairsOf(watching.tree() ?? [])).every(value => value === '1'));
    await other.deleteTree('dir');
    // What is on neither node may yet come: that it is gone is told once the slot has arrived.
    expect((await refused(store.get('dir/{same}0'))).code).toBe('unavailable');
    await journey.arrive();
    await until('the watch to have none', () => watching.tree()?.size === 0);
    expect((await store.list('')).size).toBe(0);
    watching.end();
  }, 60_000);

  test('a master that is killed: its replica takes its place, and calls, watches and locks go on', async () => {
    await using cluster = await startRedisCluster(found);
    await using store = storeOf(cluster, 'app');
    const watching = watch(store);
    const [first] = cluster.masters;
    if (first === undefined) throw new Error('a master');
    const keys: string[] = [];
    for (let i = 0; keys.length < 3; i++) if ((await cluster.ownerOf(`app/k${i}`)) === first) keys.push(`k${i}`);
    const [key = '', other = '', last = ''] = keys;
    await store.put(key, '1');
    await until('the replica to have it', async () => {
      await cluster.replica.command(['READONLY']);
      return String(await cluster.replica.command(['INFO', 'keyspace'])).includes('keys=2');
    });
    await first.kill();
    const began = performance.now();
    await until('a put to the replica', async () => store.put(other, '2').then(() => true), { within: 15_000 });
    expect(performance.now() - began).toBeLessThan(12_000);
    await until('the watch to see it', () => watching.tree()?.has(other) === true && watching.tree()?.has(key) === true, {
      within: 10_000,
    });
    await (await store.lock('job')).release();
    await store.put(last, '3');
    await until('the watch to see the next', () => watching.tree()?.has(last) === true);
    expect(Object.keys(pairsOf(await store.list(''))).sort()).toEqual([...keys].sort());
    const health = await store.health();
    expect([health.ok, health.members?.includes(cluster.replica.host)]).toEqual([true, true]);
    watching.end();
  }, 90_000);

  test('a server that is no cluster, and a node asked as if it were a server, say what to change', async () => {
    await using cluster = await startRedisCluster(found);
    await using store = createStore(redis({ hosts: cluster.hosts[0] ?? '', root: 'app' }), { timeout: 2000 });
    const errors = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(async key => store.put(key, 'x').catch((error: unknown) => error)));
    const moved = errors.find(error => error instanceof Error) as { code?: string; message?: string } | undefined;
    expect([moved?.code, moved?.message]).toEqual(['unsupported', 'this server is a node of a cluster: redis({ cluster: true })']);
  }, 60_000);
});
