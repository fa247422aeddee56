/** Faults: servers that die, hang or end sessions, cut links, and what watches, locks and writers make of it. */
import { afterEach, expect, test } from 'vitest';
import { type ZooKeeperOptions, zookeeper } from '../../../src/backends/zookeeper/index.js';
import type { StockClient } from '../../../src/backends/zookeeper/package.js';
import { createStore, KvError, type Lock, retryTransient, type Snapshot, type Store, type StoreOptions, text } from '../../../src/index.js';
import { startProxy } from '../../faults/proxy.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { startZooKeeper, startZooKeeperEnsemble } from '../../servers/zookeeper.js';
import { catchUncaught } from '../../uncaught.js';

const tickTime = 500;

/** As much of the package's client as removes two nodes at once. */
interface Native {
  getChildren(path: string, told: (error: Error | null, names: string[]) => void): void;
  transaction(): Removal;
}

interface Removal {
  remove(path: string): Removal;
  commit(told: (error: Error | null) => void): void;
}

describeProgram('zookeeper', 'faults of ZooKeeper', found => {
  const stores: Store[] = [];
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });
  const open = (options: ZooKeeperOptions, more: StoreOptions = {}): Store => {
    const store = createStore(zookeeper({ tickTime, root: 'app', ...options }), { timeout: 3000, ...more });
    stores.push(store);
    return store;
  };
  const sessionOf = (store: Store): bigint => (store.native as StockClient).connectionManager.sessionId.readBigInt64BE(0);

  test('a server that is killed and started again finds the same session, and the watch goes on', async () => {
    await using server = await startZooKeeper(found, { tickTime });
    const [store, other] = [open({ hosts: server.host }), open({ hosts: server.host })];
    let seen = new Map<string, string>();
    let failure: unknown;
    store.watchTree$('').subscribe({
      next: tree => (seen = new Map([...tree].map(entry => [entry.key, text(entry)]))),
      error: (error: unknown) => (failure = error),
    });
    await store.put('a', '1');
    const session = sessionOf(store);
    await server.restart('kept');
    await until('a write', async () => other.put('a', '2').then(() => true));
    await other.put('b', '1');
    await until('the watch', () => seen.get('a') === '2' && seen.get('b') === '1');
    expect([sessionOf(store), failure]).toEqual([session, undefined]);
  }, 30_000);

  test('a session that the server ended is followed by another: calls are answered and the watch says what it missed', async () => {
    await using server = await startZooKeeper(found, { tickTime });
    const [store, other] = [open({ hosts: server.host }), open({ hosts: server.host })];
    const sizes: number[] = [];
    store.watchTree$('').subscribe(tree => sizes.push(tree.size));
    await store.put('a', '1');
    const session = sessionOf(store);
    await server.endSession(session);
    await other.put('b', '1');
    expect(text(await store.get('b'))).toBe('1');
    await until('the watch to go on', () => sizes.at(-1) === 2);
    expect(sessionOf(store)).not.toBe(session);
    // Deleted and made again to the same version in the gap: the very same bytes, but another node.
    const before = await store.get('a');
    await server.endSession(sessionOf(store));
    await other.delete('a');
    await other.put('a', '1');
    await expect(store.atomicPut('a', '2', before)).rejects.toMatchObject({ code: 'conflict' });
  }, 30_000);

  test('on a link that hangs a list, its children, a deleteTree and health are given up as a get is: after the timeout of one round trip', async () => {
    await using server = await startZooKeeper(found, { tickTime });
    await using proxy = startProxy(server.host);
    // Long before the peer is taken for dead.
    const store = open({ hosts: proxy.host }, { timeout: 500, silence: 10_000 });
    await store.put('d/k', 'x');
    proxy.blackhole('down');
    const began = performance.now();
    const calls = [
      store.get('d/k'),
      store.list('d'),
      store.children('d'),
      store.deleteTree('d'),
      store.health().then(({ error }) => Promise.reject(error)),
    ];
    const codes = (await Promise.allSettled(calls)).map(outcome => outcome.status === 'rejected' && (outcome.reason as KvError).code);
    expect(codes).toEqual(calls.map(() => 'timeout'));
    expect(performance.now() - began).toBeLessThan(3000);
    await proxy.heal();
  }, 30_000);

  test('a cut in the middle of a large list is mended, and nothing of it goes uncaught', async () => {
    await using server = await startZooKeeper(found, { tickTime });
    await using proxy = startProxy(server.host);
    const [writer, store] = [open({ hosts: server.host }), open({ hosts: proxy.host })];
    const keys = Array.from({ length: 8000 }, (_, i) => `d/k${i}`);
    for (let i = 0; i < keys.length; i += 1000) await Promise.all(keys.slice(i, i + 1000).map(key => writer.put(key, '')));
    const thrown: unknown[] = [];
    const catching = catchUncaught(error => thrown.push(error));
    try {
      await store.get('d/k1');
      // Names, and one of eight requests for the nodes: more of them are under way than are waited for at once.
      const cut = proxy.cutAfter(300_000, 'down');
      expect((await store.list('d')).size).toBe(keys.length);
      expect(await cut).toBe(true);
      // What nobody catches is told in a turn of its own.
      await new Promise(resolve => setImmediate(resolve));
    } finally {
      catching.stop();
    }
    expect(thrown).toEqual([]);
  }, 30_000);

  test('a member of three that hangs is left for another, the session and its keys alive', async () => {
    await using ensemble = await startZooKeeperEnsemble(found, { tickTime });
    // Without its leader an ensemble is of no use until it has another, which takes ten ticks.
    const leader = await ensemble.elected();
    const followers = ensemble.members.filter(member => member !== leader);
    const store = open({ hosts: followers.map(({ host }) => host) }, { silence: 2000 });
    await store.put('leased', 'x', { ttl: 9000 });
    const created = (await store.get('leased'))?.created;
    const session = sessionOf(store);
    const health = await store.health();
    expect(health.members?.length).toBe(3);
    const member = ensemble.members.find(({ host }) => host === health.endpoint);
    if (member === undefined) throw new Error('no member of that name');
    member.pause();
    const began = performance.now();
    await until('an answer of another member', async () => (await store.get('leased'))?.created === created, { within: 8000 });
    expect(performance.now() - began).toBeLessThan(6000);
    expect(sessionOf(store)).toBe(session);
    member.resume();
  }, 60_000);

  test('a strong read of one member sees what was acknowledged by another', async () => {
    await using ensemble = await startZooKeeperEnsemble(found, { tickTime });
    const [one, two] = ensemble.members.map(({ host }) => open({ hosts: host }));
    if (one === undefined || two === undefined) throw new Error('no members');
    for (let i = 0; i < 200; i++) {
      await one.put('k', String(i));
      expect(text(await two.get('k'))).toBe(String(i));
    }
  }, 60_000);

  test('a lock whose record is removed together with its whole queue is lost, not refused', async () => {
    await using server = await startZooKeeper(found, { tickTime });
    const [store, operator] = [open({ hosts: server.host }), open({ hosts: server.host })];
    let failure: unknown;
    let lock: Lock | undefined;
    store.lock$('job').subscribe({ next: held => (lock = held), error: (error: unknown) => (failure = error) });
    await until('the lock', () => lock?.held);
    await operator.get('warm');
    const client = operator.native as Native;
    const queue = '/app/~rxkv/job';
    const [name = ''] = await new Promise<string[]>(resolve => client.getChildren(queue, (_, names) => resolve(names)));
    const removal = client.transaction().remove(`${queue}/${name}`).remove(queue);
    await new Promise<void>((resolve, reject) => removal.commit(error => (error === null ? resolve() : reject(error))));
    await until('the loss', () => failure !== undefined);
    expect([failure, lock?.held]).toMatchObject([{ code: 'lock-lost' }, false]);
  }, 30_000);

  test('who holds a lock on a cut link for longer than its session is told before the rival', async () => {
    await using server = await startZooKeeper(found, { tickTime });
    await using proxy = startProxy(server.host);
    const [store, rival] = [open({ hosts: proxy.host }), open({ hosts: server.host })];
    const lock = await store.lock('job', { ttl: 1000 });
    let toldAt = Infinity;
    lock.signal.addEventListener('abort', () => (toldAt = performance.now()));
    proxy.blackhole();
    const next = await rival.lock('job', { ttl: 1000 });
    const heldAt = performance.now();
    expect(toldAt).toBeLessThan(heldAt);
    expect([lock.held, next.held, next.fence > lock.fence]).toEqual([false, true, true]);
    await proxy.heal();
    await expect(store.put('k', 'late', { lock })).rejects.toMatchObject({ code: 'conflict' });
    await next.release();
  }, 30_000);

  test('a contender whose creation was never answered is found again: one node, one holder, none once released', async () => {
    await using server = await startZooKeeper(found, { tickTime });
    await using proxy = startProxy(server.host);
    const [store, observer] = [open({ hosts: proxy.host }), open({ hosts: server.host })];
    // The queue is there, and the session for it.
    await (await store.lock('job', { ttl: 8000 })).release();
    for (let i = 0; i < 5; i++) {
      // The answer to the creation is the next piece that comes down, unless a ping's is.
      const cut = proxy.cutAfter(1, 'down');
      const lock = await store.lock('job', { ttl: 8000, timeout: 10_000 });
      await cut;
      await expect(observer.lock('job', { wait: 0 })).rejects.toMatchObject({ code: 'conflict' });
      expect(await contenders(server.host)).toBe(1);
      await lock.release();
      expect(await contenders(server.host)).toBe(0);
    }
  }, 60_000);

  async function contenders(hosts: string): Promise<number> {
    const driver = zookeeper({ hosts, root: 'app', tickTime });
    const quiet = (): void => undefined;
    driver.start({ timeout: 3000, silence: 10_000, logger: { debug: quiet, info: quiet, warn: quiet, error: quiet }, ending: quiet });
    const { entries } = await driver.list({ prefix: '~rxkv/job/' }, { timeout: 3000, consistency: 'strong' });
    await driver.close();
    return entries.length;
  }

  test('twenty thousand writes with random cuts under the watcher: the state is right, no transaction torn, no revision goes back', async () => {
    await using server = await startZooKeeper(found, { tickTime });
    await using proxy = startProxy(server.host);
    const [writer, reader] = [open({ hosts: server.host }), open({ hosts: proxy.host }, { silence: 5000 })];
    let last: Snapshot | undefined;
    let torn = 0;
    let back = 0;
    let snapshots = 0;
    reader
      .watchTree$('')
      .pipe(retryTransient({ first: 10, most: 100 }))
      .subscribe(tree => {
        snapshots++;
        if (last !== undefined && tree.revision < last.revision) back++;
        for (let pair = 0; pair < 8; pair++) if (text(tree.get(`pair/${pair}/a`)) !== text(tree.get(`pair/${pair}/b/c`))) torn++;
        last = tree;
      });
    let seed = 1;
    let cuts = 0;
    const cutting = setInterval(() => {
      void proxy.heal().then(() => proxy.cutAtRandom(++seed, 500_000));
      if (++cuts % 3 === 0) proxy.cut();
    }, 250);
    const keys = 20_000;
    for (let i = 0; i < keys; i += 10) {
      const each = Array.from({ length: 10 }, async (_, n) => {
        const at = i + n;
        const pair = at % 8;
        if (at % 5 !== 0) return writer.put(`single/${at % 97}`, String(at));
        const ops = ['a', 'b/c'].map(name =>
          at % 35 === 0 ? { delete: `pair/${pair}/${name}` } : { put: `pair/${pair}/${name}`, value: String(at) },
        );
        return writer.transaction({ ops });
      });
      await Promise.all(each);
    }
    clearInterval(cutting);
    await proxy.heal();
    const wanted = JSON.stringify((await writer.list('')).toObject());
    await until('the watcher to hold what the store holds', () => JSON.stringify(last?.toObject()) === wanted, { within: 20_000 });
    expect([torn, back]).toEqual([0, 0]);
    expect(snapshots).toBeGreaterThan(25);
    expect(proxy.counts.total).toBeGreaterThan(10);
  }, 120_000);

  test('a watcher hears of changes while others write all the time', async () => {
    await using server = await startZooKeeper(found, { tickTime });
    const [writer, reader] = [open({ hosts: server.host }), open({ hosts: server.host })];
    const times: number[] = [];
    reader.watchTree$('').subscribe(() => times.push(performance.now()));
    const began = performance.now();
    while (performance.now() - began < 3000)
      await Promise.all(Array.from({ length: 32 }, (_, i) => writer.put(`hot/${i}`, String(times.length))));
    const gaps = times.slice(1).map((time, i) => time - (times[i] as number));
    expect(times.length).toBeGreaterThan(30);
    expect(Math.max(...gaps)).toBeLessThan(1000);
  }, 30_000);

  test('without persistent watches fifteen thousand nodes are watched one by one, also after a cut', async () => {
    const properties = { 'zookeeper.watchManagerName': 'org.apache.zookeeper.server.watch.WatchManagerOptimized' };
    await using server = await startZooKeeper(found, { tickTime, properties });
    await using proxy = startProxy(server.host);
    const [writer, reader] = [open({ hosts: server.host }), open({ hosts: proxy.host }, { silence: 10_000 })];
    const keys = Array.from({ length: 15_000 }, (_, i) => `d${i % 100}/k${i}`);
    for (let i = 0; i < keys.length; i += 1000) await Promise.all(keys.slice(i, i + 1000).map(key => writer.put(key, 'x')));
    let tree: Snapshot | undefined;
    let failure: unknown;
    const watching = reader.watchTree$('').subscribe({ next: now => (tree = now), error: (error: unknown) => (failure = error) });
    await until('all of them', () => tree?.size === keys.length, { within: 30_000 });
    proxy.cut();
    await writer.put(keys[77] as string, 'in the gap');
    await until('what was missed', () => text(tree?.get(keys[77] as string)) === 'in the gap', { within: 30_000 });
    await writer.put(keys[14_999] as string, 'after it');
    await until('a change after the cut', () => text(tree?.get(keys[14_999] as string)) === 'after it', { within: 30_000 });
    expect(failure).toBeUndefined();
    const before = await watches(server);
    expect(before).toBeGreaterThan(15_000);
    watching.unsubscribe();
    // It counts those of values only, and forgets those of connections that were cut after minutes.
    await until('the server to have none of this connection left', async () => (await watches(server)) <= before - 15_000);
  }, 120_000);

  async function watches(server: { fourLetters(word: string): Promise<string> }): Promise<number> {
    return Number(/Total watches:(\d+)/.exec(await server.fourLetters('wchs'))?.[1] ?? Number.NaN);
  }

  test('without persistent watches directories that come, change and go again are followed all the same', async () => {
    const properties = { 'zookeeper.watchManagerName': 'org.apache.zookeeper.server.watch.WatchManagerOptimized' };
    await using server = await startZooKeeper(found, { tickTime, properties });
    const [writer, reader] = [open({ hosts: server.host }), open({ hosts: server.host })];
    let leader: string | undefined;
    let tree: Snapshot | undefined;
    reader.watchTree$('d').subscribe(now => (tree = now));
    reader.leader$('office').subscribe(now => (leader = now?.id));
    for (let i = 0; i < 20; i++) {
      const lock = await writer.lock('office', { value: `first ${i}` });
      await until('the first leader', () => leader === `first ${i}`, { within: 5000 });
      const next = reader.lock('office', { value: `second ${i}` });
      await Promise.all([lock.release(), writer.put(`d/${i % 3}/k`, String(i))]);
      await until('the second leader', () => leader === `second ${i}`, { within: 5000 });
      await Promise.all([(await next).release(), writer.deleteTree('d'), writer.put('d/last', String(i))]);
      await until('the last key alone', () => tree?.size === 1 && text(tree.get('d/last')) === String(i), { within: 5000 });
    }
  }, 60_000);

  test('a compare-and-set whose answer is lost says unknown, never a conflict, and is not sent again', async () => {
    await using server = await startZooKeeper(found, { tickTime });
    await using proxy = startProxy(server.host);
    const [store, other] = [open({ hosts: proxy.host }), open({ hosts: server.host })];
    let lost = 0;
    for (let i = 0; i < 40 && lost < 5; i++) {
      const before = await until('an entry', async () => store.put('k', `before ${i}`));
      const cut = proxy.cutAfter(1 + i * 25, 'down');
      const outcome = await store.atomicPut('k', `after ${i}`, before).catch((error: unknown) => error);
      await proxy.heal();
      await cut;
      if (!KvError.is(outcome)) continue;
      expect([outcome.code === 'conflict', outcome.outcome]).toEqual([false, 'unknown']);
      lost++;
      expect([`before ${i}`, `after ${i}`]).toContain(text(await other.get('k')));
    }
    expect(lost).toBeGreaterThan(0);
  }, 60_000);
});
