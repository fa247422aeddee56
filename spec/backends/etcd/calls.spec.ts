/** Calls: what is sent once only, what is asked again, and batches in which one is refused. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { KvError, text } from '../../../src/index.js';
import { etcdUsers, startEtcd } from '../../servers/etcd.js';
import { must } from '../../servers/run.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { Scene } from './scene.js';

describeProgram('etcd', 'calls of etcd', found => {
  test('pitfall 10: a compare-and-set whose answer is lost says unknown, never a conflict', async () => {
    await using scene = new Scene(await startEtcd(found));
    const proxy = scene.proxy();
    const [store, other] = [scene.store({ hosts: proxy.host }), scene.store()];
    const entry = await store.put('k', '1');
    proxy.blackhole('down');
    const writing = store.atomicPut('k', '2', entry).catch((error: unknown) => error);
    await until('the write to be applied', async () => text(await other.get('k')) === '2');
    // Healed at once: one that is sent again would be answered, with the conflict that it made itself.
    proxy.cut();
    await proxy.heal();
    const error = await writing;
    expect(KvError.is(error) && [error.transient, error.outcome]).toEqual([true, 'unknown']);
    expect(text(await other.get('k'))).toBe('2');
  }, 20_000);

  test('pitfall 9: after a slow call the next ones are answered', async () => {
    await using scene = new Scene(await startEtcd(found));
    const proxy = scene.proxy();
    const store = scene.store({ hosts: proxy.host });
    await store.put('k', '1');
    proxy.blackhole();
    await expect(store.get('k', { timeout: 600 })).rejects.toMatchObject({ code: 'timeout' });
    await proxy.heal();
    for (let i = 0; i < 50; i++) expect(text(await store.get('k'))).toBe('1');
  }, 20_000);

  test('pitfalls 16 and 5: what one call of a batch is refused for is no matter of the others; a denied watch harms no other', async () => {
    await using scene = new Scene(await startEtcd(found, { auth: true }));
    const store = scene.store({ auth: etcdUsers.limited });
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
    await expect(scene.store({ auth: { username: 'root', password: 'wrong' } }).get('k')).rejects.toMatchObject({
      code: 'denied',
    });
    await expect(scene.store().get('k')).rejects.toMatchObject({ code: 'denied' });
  }, 20_000);

  test('pitfall 6: tokens that lapse, and a restart that forgets them, are no errors', async () => {
    await using scene = new Scene(await startEtcd(found, { auth: true, args: ['--auth-token-ttl', '2'] }));
    const store = scene.store({ auth: etcdUsers.root });
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
    await scene.server.restart('kept');
    await until('a write after the restart', async () => store.put('a/2', 'x').then(() => true));
    await store.put('b/2', 'x');
    await until('both trees again', () => first === 2 && second === 2);
    expect(failure).toBeUndefined();
  }, 30_000);

  test('a token that is older than the rights of users are is no error: signed ones carry their revision', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rxkv-jwt-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [key, pub] = [join(folder, 'jwt.key'), join(folder, 'jwt.pub')];
    await must('openssl', ['genrsa', '-traditional', '-out', key, '2048']);
    await must('openssl', ['rsa', '-in', key, '-pubout', '-out', pub]);
    const token = `jwt,pub-key=${pub},priv-key=${key},sign-method=RS256,ttl=10m`;
    await using scene = new Scene(await startEtcd(found, { auth: true, args: ['--auth-token', token] }), etcdUsers.root);
    const store = scene.store({ auth: etcdUsers.root });
    await store.put('a/1', 'x');
    await scene.operator.addRole('another');
    await store.put('a/2', 'x');
    await scene.operator.addRole('one more');
    let size = -1;
    let failure: unknown;
    store.watchTree$('a').subscribe({ next: tree => (size = tree.size), error: (error: unknown) => (failure = error) });
    await until('the tree', () => failure ?? size === 2);
    await scene.operator.addRole('the last');
    await store.put('a/3', 'x');
    await until('the tree again', () => failure ?? size === 3);
    expect(failure).toBeUndefined();
  }, 20_000);

  test('calls, watches, renewals and the login share one connection, which is gone once the store is closed', async () => {
    await using scene = new Scene(await startEtcd(found, { auth: true }));
    const proxy = scene.proxy();
    const store = scene.store({ hosts: proxy.host, auth: etcdUsers.root });
    store.watchTree$('a').subscribe();
    await store.lock('job');
    await store.put('a/1', 'x');
    expect(proxy.counts.total).toBe(1);
    await store.close();
    await until('the connection to be gone', () => proxy.counts.open === 0);
  }, 20_000);

  test('a write whose login was cut was not sent: it is, once the login succeeds', async () => {
    await using scene = new Scene(await startEtcd(found, { auth: true }));
    const proxy = scene.proxy();
    const store = scene.store({ hosts: proxy.host, auth: etcdUsers.root });
    // Within the answer to the login: what HTTP/2 says before it is about 50 bytes, and the answer over 100.
    const cut = proxy.cutAfter(80, 'down');
    const writing = store.put('k', '1');
    expect(await cut).toBe(true);
    // All that had been asked for by then is the login.
    expect(proxy.counts.up).toBeGreaterThan(200);
    const { revision, created } = await writing;
    expect(revision).toBe(created);
  }, 20_000);

  test('TLS with a certificate of our own; without it, denied at once', async () => {
    await using scene = new Scene(await startEtcd(found, { tls: true }));
    const { ca, client } = scene.server.certificates ?? {};
    if (ca === undefined || client === undefined) throw new Error('no certificates');
    const store = scene.store({ tls: { ca, cert: client.cert, key: client.key } });
    expect(text(await store.put('k', '1'))).toBe('1');
    const health = await store.health();
    expect([health.ok, health.leader, health.members]).toEqual([true, 'etcd', ['etcd']]);
    for (const tls of [{ ca }, true, { ca, cert: client.cert, key: client.key, servername: 'elsewhere' }] as const) {
      const began = performance.now();
      await expect(scene.store({ tls }).get('k')).rejects.toMatchObject({ code: 'denied' });
      expect(performance.now() - began).toBeLessThan(2000);
    }
  }, 30_000);
});
