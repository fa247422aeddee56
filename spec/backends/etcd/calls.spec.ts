/** Calls: what is sent once only, what is asked again, and batches in which one is refused. */
import { afterEach, describe, expect, test } from 'vitest';
import { etcd } from '../../../src/backends/etcd/index.js';
import { createStore, KvError, type Store, text } from '../../../src/index.js';
import { startProxy } from '../../faults/proxy.js';
import { etcdUsers, startEtcd, startEtcdCluster } from '../../servers/etcd.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';

describeProgram('etcd', 'calls of etcd', found => {
  const stores: Store[] = [];
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });
  const open = (...options: Parameters<typeof etcd>): Store => {
    const store = createStore(etcd(...options), { timeout: 3000 });
    stores.push(store);
    return store;
  };

  test('pitfall 10: a compare-and-set whose answer is lost says unknown, never a conflict', async () => {
    await using server = await startEtcd(found);
    await using proxy = startProxy(server.host);
    const [store, other] = [open({ hosts: proxy.host }), open({ hosts: server.host })];
    const entry = await store.put('k', '1');
    proxy.blackhole('down');
    const writing = store.atomicPut('k', '2', entry).catch((error: unknown) => error);
    await until('the write to be applied', async () => text(await other.get('k')) === '2');
    proxy.cut();
    const error = await writing;
    expect(KvError.is(error) && [error.transient, error.outcome]).toEqual([true, 'unknown']);
    await proxy.heal();
    expect(text(await other.get('k'))).toBe('2');
  }, 20_000);

  test('pitfall 9: after a slow call the next ones are answered', async () => {
    await using server = await startEtcd(found);
    await using proxy = startProxy(server.host);
    const store = open({ hosts: proxy.host });
    await store.put('k', '1');
    proxy.blackhole();
    await expect(store.get('k', { timeout: 600 })).rejects.toMatchObject({ code: 'timeout' });
    await proxy.heal();
    for (let i = 0; i < 50; i++) expect(text(await store.get('k'))).toBe('1');
  }, 20_000);

  test('pitfalls 16 and 5: what one call of a batch is refused for is no matter of the others; a denied watch harms no other', async () => {
    await using server = await startEtcd(found, { auth: true });
    const store = open({ hosts: server.host, auth: etcdUsers.limited });
    const writes = Array.from({ length: 200 }, (_, i) => store.put(i === 50 ? 'elsewhere/k' : `limited/k${i % 100}`, String(i)));
    const outcomes = await Promise.allSettled(writes);
    outcomes.forEach((outcome, i) => expect(outcome.status, `write ${i}`).toBe(i === 50 ? 'rejected' : 'fulfilled'));
    expect(text(await store.get('limited/k7'))).toBe('107');
    const reads = await Promise.allSettled(
      Array.from({ length: 150 }, (_, i) => store.get(i === 9 ? 'elsewhere/k' : `limited/k${i % 100}`)),
    );
    expect(reads.filter(({ status }) => status === 'rejected').length).toBe(1);
    let denied: unknown;
    let seen = 0;
    store.watchTree$('elsewhere').subscribe({ error: (error: unknown) => (denied = error) });
    store.watchTree$('limited').subscribe(tree => (seen = tree.size));
    await until('the denial', () => denied !== undefined);
    expect(KvError.is(denied) && denied.code).toBe('denied');
    await until('the tree', () => seen === 100 || seen === 99);
    await expect(open({ hosts: server.host, auth: { username: 'root', password: 'wrong' } }).get('k')).rejects.toMatchObject({
      code: 'denied',
    });
    await expect(open({ hosts: server.host }).get('k')).rejects.toMatchObject({ code: 'denied' });
  }, 20_000);

  test('pitfall 6: tokens that lapse, and a restart that forgets them, are no errors', async () => {
    await using server = await startEtcd(found, { auth: true, args: ['--auth-token-ttl', '2'] });
    const store = open({ hosts: server.host, auth: etcdUsers.root });
    let failure: unknown;
    let first = 0;
    let second = 0;
    store.watchTree$('a').subscribe({ next: tree => (first = tree.size), error: (error: unknown) => (failure = error) });
    await store.put('a/1', 'x');
    const began = performance.now();
    await until('the token to lapse', () => performance.now() - began > 4000);
    store.watchTree$('b').subscribe({ next: tree => (second = tree.size), error: (error: unknown) => (failure = error) });
    await store.put('b/1', 'x');
    await until('both trees', () => first === 1 && second === 1);
    await server.restart('kept');
    await until('a write after the restart', async () => store.put('a/2', 'x').then(() => true));
    await store.put('b/2', 'x');
    await until('both trees again', () => first === 2 && second === 2);
    expect(failure).toBeUndefined();
  }, 30_000);

  test('TLS with a certificate of our own; without it, denied at once', async () => {
    await using server = await startEtcd(found, { tls: true });
    const { ca, client } = server.certificates ?? {};
    if (ca === undefined || client === undefined) throw new Error('no certificates');
    const store = open({ hosts: server.host, tls: { ca, cert: client.cert, key: client.key } });
    expect(text(await store.put('k', '1'))).toBe('1');
    const health = await store.health();
    expect([health.ok, health.leader, health.members]).toEqual([true, 'etcd', ['etcd']]);
    for (const tls of [{ ca }, true] as const) {
      const began = performance.now();
      await expect(open({ hosts: server.host, tls }).get('k')).rejects.toMatchObject({ code: 'denied' });
      expect(performance.now() - began).toBeLessThan(2000);
    }
  }, 30_000);

  describe('of three members', () => {
    test('pitfall 20: with a dead member, and after the leader was killed, puts succeed', async () => {
      await using cluster = await startEtcdCluster(found);
      const store = open({ hosts: cluster.members.map(({ host }) => host) });
      await store.put('k', '0');
      const leader = await cluster.elected();
      await leader.kill();
      const began = performance.now();
      await until('a put', async () => store.put('k', '1').then(() => true), { within: 8000 });
      expect(performance.now() - began).toBeLessThan(5000);
      for (let i = 0; i < 60; i++) await store.put('k', String(i));
      expect(text(await store.get('k'))).toBe('59');
    }, 60_000);

    test('with members: true the other members are used once the only host is gone; without it they are not', async () => {
      await using cluster = await startEtcdCluster(found);
      const [one] = cluster.members;
      if (one === undefined) throw new Error('no members');
      const [knowing, ignorant] = [open({ hosts: one.host, members: true }), open({ hosts: one.host })];
      for (const store of [knowing, ignorant]) await store.put('k', '0');
      await knowing.health();
      await one.kill();
      await until('a put to another member', async () => knowing.put('k', '1').then(() => true), { within: 8000 });
      expect(text(await knowing.get('k'))).toBe('1');
      await expect(ignorant.get('k', { timeout: 300 })).rejects.toMatchObject({ transient: true });
    }, 60_000);

    test('pitfall 18: a watch whose member has lost the quorum is an error, and goes on afterwards', async () => {
      await using cluster = await startEtcdCluster(found);
      const [one, ...others] = cluster.members;
      if (one === undefined) throw new Error('no members');
      const store = createStore(etcd({ hosts: one.host }), { silence: 2000, timeout: 1000 });
      stores.push(store);
      let failedAt: number | undefined;
      let seen: string | undefined;
      store.watch$('k').subscribe({ next: () => undefined, error: () => (failedAt = performance.now()) });
      await store.put('k', '0');
      const began = performance.now();
      for (const other of others) other.pause();
      await until('the error', () => failedAt !== undefined, { within: 10_000 });
      // A member believes in its leader for three election timeouts; then the silence counts.
      expect((failedAt ?? 0) - began).toBeLessThan(7000);
      for (const other of others) other.resume();
      await until('a put', async () => store.put('k', '1').then(() => true));
      store.watch$('k').subscribe(entry => (seen = text(entry)));
      await until('the state', () => seen === '1');
    }, 60_000);
  });
});
