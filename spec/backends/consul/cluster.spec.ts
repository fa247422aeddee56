/** Three servers: without their leader, with one that is stopped, and without a quorum; TLS, and tokens that are rotated. */
import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { consul } from '../../../src/backends/consul/index.js';
import { createStore, type Entry, type Store, text } from '../../../src/index.js';
import { type Consul, startConsul, startConsulCluster } from '../../servers/consul.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';

describeProgram('consul', 'servers of consul', found => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  function open(options: Parameters<typeof consul>[0], more: { timeout?: number; silence?: number } = {}): Store {
    const store = createStore(consul(options), more);
    closing.push(() => store.close());
    return store;
  }

  test('after the leader was killed puts succeed, a watch goes on, and a held lock is held', async () => {
    await using cluster = await startConsulCluster(found);
    const leader = await cluster.elected();
    const store = open({ hosts: cluster.members.map(({ host }) => host) }, { silence: 30_000 });
    await store.put('k', '0');
    const lock = await store.lock('job', { ttl: 30_000 });
    const seen: (string | undefined)[] = [];
    let failure: unknown;
    store.watch$('k').subscribe({ next: entry => seen.push(text(entry)), error: (error: unknown) => (failure = error) });
    await until('the state', () => seen.length === 1);
    await leader.kill();
    const began = performance.now();
    await until('a put', async () => store.put('k', '1').then(() => true), { within: 15_000 });
    expect(performance.now() - began).toBeLessThan(10_000);
    await until('the change', () => seen.at(-1) === '1');
    await store.put('fenced', 'x', { lock });
    expect([lock.held, failure]).toEqual([true, undefined]);
  }, 90_000);

  test('pitfall 29: with a leader that is stopped, a watch by way of another server catches up', async () => {
    await using cluster = await startConsulCluster(found);
    const leader = await cluster.elected();
    const other = cluster.members.find(member => member !== leader) as Consul;
    const store = open({ hosts: other.host }, { silence: 10_000 });
    await store.put('k', '0');
    const seen: (string | undefined)[] = [];
    let failure: unknown;
    store.watch$('k').subscribe({ next: entry => seen.push(text(entry)), error: (error: unknown) => (failure = error) });
    await until('the state', () => seen.length === 1);
    leader.pause();
    try {
      await until('a put', async () => store.put('k', '1').then(() => true), { within: 15_000 });
      await until('the change, or an error within silence', () => seen.at(-1) === '1' || failure !== undefined, { within: 12_000 });
    } finally {
      leader.resume();
    }
    const again: (string | undefined)[] = [];
    store.watch$('k').subscribe({ next: entry => again.push(text(entry)), error: () => undefined });
    await until('the state of now', () => again.at(-1) === '1');
  }, 90_000);

  test('without a quorum nothing is written or read strongly, and stale reads are served', async () => {
    await using cluster = await startConsulCluster(found);
    const [one, ...others] = cluster.members as readonly [Consul, Consul, Consul];
    const store = open({ hosts: one.host }, { timeout: 12_000 });
    const entry = await store.put('k', '1');
    await until('the other servers to have it', async () => text(await store.get('k', { consistency: 'stale' })) === '1');
    for (const other of others) await other.kill();
    await expect(store.put('k', '2')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(store.get('k', { timeout: 3000 })).rejects.toMatchObject({ transient: true });
    expect(await store.get('k', { consistency: 'stale' })).toEqual(entry);
    expect((await store.list('', { consistency: 'stale' })).size).toBe(1);
    const health = await store.health({ timeout: 3000 });
    expect([health.ok, health.error?.transient]).toEqual([false, true]);
  }, 90_000);

  test('an agent that is gone is left for the next, also by a watch', async () => {
    await using cluster = await startConsulCluster(found);
    const store = open({ hosts: cluster.members.map(({ host }) => host) }, { silence: 30_000 });
    const seen: (Entry | undefined)[] = [];
    let failure: unknown;
    store.watch$('k').subscribe({ next: entry => seen.push(entry), error: (error: unknown) => (failure = error) });
    await until('the absence', () => seen.length === 1);
    const { endpoint } = await store.health();
    await cluster.members.find(({ host }) => host === endpoint)?.kill();
    await until('a put', async () => store.put('k', '1').then(() => true));
    await until('the change', () => text(seen.at(-1)) === '1');
    const health = await until('health', async () => {
      const now = await store.health();
      return now.ok && now;
    });
    expect(health.endpoint).not.toBe(endpoint);
    expect(health.members?.length).toBe(3);
    expect(health.leader).toMatch(/^consul-\d$/);
    expect(failure).toBeUndefined();
  }, 90_000);

  test('TLS with a certificate of our own; without it, denied at once', async () => {
    await using server = await startConsul(found, { tls: true });
    const { ca, client } = server.certificates ?? {};
    if (ca === undefined || client === undefined) throw new Error('no certificates');
    const store = open({ hosts: server.host, tls: { ca, cert: client.cert, key: client.key } });
    expect(text(await store.put('k', '1'))).toBe('1');
    for (const tls of [{ ca }, true, undefined] as const) {
      const began = performance.now();
      const options = tls === undefined ? { hosts: server.host } : { hosts: server.host, tls };
      await expect(open(options).get('k')).rejects.toMatchObject({ code: 'denied' });
      expect(performance.now() - began).toBeLessThan(2000);
    }
  }, 60_000);

  test('a token that is revoked while a watch is live is asked for anew; one that is a string is denied', async () => {
    await using server = await startConsul(found, { auth: true });
    const management = server.tokens?.management as string;
    const make = async (secret: string): Promise<string> => {
      const body = JSON.stringify({ SecretID: secret, Policies: [{ Name: 'limited' }] });
      const { status, body: answer } = await server.call('acl/token', { method: 'PUT', body, token: management });
      expect(status).toBe(200);
      return (JSON.parse(answer) as { AccessorID: string }).AccessorID;
    };
    let secret = randomUUID();
    const accessor = await make(secret);
    const [rotating, fixed] = [
      open({ hosts: server.host, root: 'limited', auth: { token: () => secret } }, { silence: 3000 }),
      open({ hosts: server.host, root: 'limited', auth: { token: secret } }, { silence: 3000 }),
    ];
    const seen: (string | undefined)[] = [];
    let [failure, denied]: unknown[] = [];
    rotating.watch$('k').subscribe({ next: entry => seen.push(text(entry)), error: (error: unknown) => (failure = error) });
    fixed.watch$('k').subscribe({ error: (error: unknown) => (denied = error) });
    await until('the absence', () => seen.length === 1);
    secret = randomUUID();
    await make(secret);
    await server.call(`acl/token/${accessor}`, { method: 'DELETE', token: management });
    await until('the denial of the string', () => denied !== undefined, { within: 15_000 });
    expect(denied).toMatchObject({ code: 'denied' });
    await rotating.put('k', '1');
    await until('the change', () => seen.at(-1) === '1');
    expect(failure).toBeUndefined();
  }, 60_000);

  test('ACLs: what the token may not read is denied by itself, left out of lists in silence, and health() says so', async () => {
    await using server = await startConsul(found, { auth: true });
    const { management, limited } = server.tokens as NonNullable<Consul['tokens']>;
    const all = open({ hosts: server.host, auth: { token: management } });
    await all.put('limited/k', '1');
    await all.put('other/k', '1');
    const store = open({ hosts: server.host, auth: { token: limited } });
    await expect(store.get('other/k')).rejects.toMatchObject({ code: 'denied' });
    await expect(store.put('other/k', '2')).rejects.toMatchObject({ code: 'denied' });
    expect([...(await store.list('')).keys()]).toEqual(['limited/k']);
    const keys = Array.from({ length: 20 }, (_, i) => (i === 7 ? 'other/k' : `limited/${i}`));
    const writes = await Promise.allSettled(keys.map(async key => store.put(key, 'x')));
    writes.forEach(({ status }, i) => expect(status, `write ${i}`).toBe(i === 7 ? 'rejected' : 'fulfilled'));
    const reads = await Promise.allSettled(keys.map(async key => store.get(key)));
    reads.forEach(({ status }, i) => expect(status, `read ${i}`).toBe(i === 7 ? 'rejected' : 'fulfilled'));
    const own = open({ hosts: server.host, root: 'limited', auth: { token: limited } });
    const health = await own.health();
    expect([health.ok, health.warnings.some(warning => warning.includes('ACLs are on'))]).toEqual([true, true]);
    await expect(open({ hosts: server.host, auth: { token: randomUUID() } }).ready()).rejects.toMatchObject({ code: 'denied' });
  }, 60_000);
});
