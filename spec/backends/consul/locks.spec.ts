/** Locks beside `consul lock`, in both directions, and under faults. */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { consul } from '../../../src/backends/consul/index.js';
import type { Session } from '../../../src/driver.js';
import { createStore, KvError, type Leader, type Lock, type Store } from '../../../src/index.js';
import { startProxy } from '../../faults/proxy.js';
import { startConsul } from '../../servers/consul.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { startFront } from './front.js';

const quick = { config: { session_ttl_min: '1s' } };

describeProgram('consul', 'locks of consul', found => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  function open(host: string, more: Partial<Parameters<typeof consul>[0]> = {}): Store {
    const store = createStore(consul({ hosts: host, root: 'app', ...more }));
    closing.push(() => store.close());
    return store;
  }

  /** Runs `consul lock`, whose command says so when it holds; it holds until it is told to end. */
  function consulLock(url: string, path: string): { readonly child: ChildProcess; readonly holds: () => boolean } {
    const child = spawn(found.command, ['lock', '-http-addr', url, '-shell=false', path, 'sh', '-c', 'echo holding; exec sleep 1000'], {
      env: { ...process.env, ...found.env },
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    closing.push(async () => void child.kill('SIGKILL'));
    return { child, holds: () => text.includes('holding') };
  }

  test('consul lock waits for ours, and ours for that of consul lock', async () => {
    await using server = await startConsul(found);
    const store = open(server.host);
    const path = 'app/~rxkv/jobs%2Fnightly';
    const lock = await store.lock('jobs/nightly');
    const theirs = consulLock(server.url, path);
    await until('consul lock to have its session, with which it waits', async () => {
      const { body } = await server.call('session/list');
      return (JSON.parse(body) as unknown[]).length === 2;
    });
    await expect(store.lock('jobs/nightly', { wait: 300 })).rejects.toMatchObject({ code: 'conflict' });
    expect(theirs.holds()).toBe(false);
    await lock.release();
    await until('consul lock to hold', theirs.holds);
    let ours: Lock | undefined;
    store.lock$('jobs/nightly').subscribe(held => (ours = held));
    await expect(store.lock('jobs/nightly', { wait: 300 })).rejects.toMatchObject({ code: 'conflict' });
    expect(ours).toBeUndefined();
    theirs.child.kill('SIGINT');
    const next = await until('ours to be held', () => ours);
    expect(next.fence).toBeGreaterThan(lock.fence);
    expect(theirs.holds()).toBe(true);
  }, 60_000);

  test('leader$ is nobody while nobody holds, and shows ours after theirs', async () => {
    await using server = await startConsul(found);
    const store = open(server.host);
    const seen: (Leader | undefined)[] = [];
    store.leader$('office').subscribe(leader => seen.push(leader));
    const theirs = consulLock(server.url, 'app/~rxkv/office');
    await until('their holder', () => seen.at(-1) !== undefined);
    store.elect$('office', { id: 'ours' }).subscribe();
    theirs.child.kill('SIGINT');
    await until('our leader', () => seen.at(-1)?.id === 'ours');
  }, 60_000);

  test('the holder behind a partition is told before its rival holds', async () => {
    await using server = await startConsul(found, quick);
    await using proxy = startProxy(server.host);
    const [a, b] = [open(proxy.host, { sessionTtlMin: 1000 }), open(server.host, { sessionTtlMin: 1000 })];
    const lock = await a.lock('k', { ttl: 2000 });
    let toldAt = Number.POSITIVE_INFINITY;
    lock.signal.addEventListener('abort', () => (toldAt = performance.now()));
    const rival = b.lock('k', { ttl: 2000 });
    proxy.blackhole();
    const next = await rival;
    expect(toldAt).toBeLessThan(performance.now());
    expect(next.fence).toBeGreaterThan(lock.fence);
    await proxy.heal();
    await expect(a.put('x', '1', { lock })).rejects.toMatchObject({ code: 'conflict' });
  }, 30_000);

  test('one 500 in the middle of a held lock is no loss', async () => {
    await using server = await startConsul(found, quick);
    await using front = await startFront(server.host);
    const store = open(front.host, { sessionTtlMin: 1000 });
    const lock = await store.lock('k', { ttl: 1500 });
    let refused = 0;
    front.decide = ({ path }) => {
      if (refused > 0 || !path.startsWith('/session/renew')) return undefined;
      refused++;
      return { answer: { status: 500, body: 'rpc error making call: EOF' } };
    };
    const renewals = (): number => front.seen.filter(({ path }) => path.startsWith('/session/renew')).length;
    await until('renewals beyond the one that failed', () => refused === 1 && renewals() >= 8);
    expect([lock.held, lock.signal.aborted]).toEqual([true, false]);
    await store.put('x', '1', { lock });
    await lock.release();
  }, 30_000);

  test('a session that was invalidated by hand, and a key that was deleted by hand, are lock-lost at once', async () => {
    await using server = await startConsul(found);
    const store = open(server.host);
    const lose: Readonly<Record<string, (session: string) => Promise<unknown>>> = {
      session: async session => server.call(`session/destroy/${session}`, { method: 'PUT' }),
      key: async () => server.call('kv/app/~rxkv/k/.lock', { method: 'DELETE' }),
      release: async session => server.call(`kv/app/~rxkv/k/.lock?release=${session}`, { method: 'PUT' }),
    };
    for (const [what, work] of Object.entries(lose)) {
      let failure: unknown;
      let lock: Lock | undefined;
      store.lock$('k').subscribe({ next: held => (lock = held), error: (error: unknown) => (failure = error) });
      await until('the lock', () => lock);
      const { body } = await server.call('kv/app/~rxkv/k/.lock');
      const [{ Session: session, Flags: flags } = { Session: '', Flags: 0 }] = JSON.parse(body) as { Session: string; Flags: number }[];
      // Rounded alike on both sides; the text says it to the digit.
      expect([flags, body.includes('3304740253564472344')]).toEqual([Number('3304740253564472344'), true]);
      const began = performance.now();
      await work(session);
      await until(`the loss of the ${what}`, () => failure !== undefined, { within: 2000 });
      expect(performance.now() - began).toBeLessThan(1500);
      expect(KvError.is(failure) && failure.code).toBe('lock-lost');
      expect(lock?.held).toBe(false);
      await expect(store.put('x', '1', { lock: lock as Lock })).rejects.toMatchObject({ code: 'conflict' });
    }
  }, 30_000);

  test('pitfall 9: a lock-delay that somebody else left is waited for, and ours leaves none', async () => {
    await using server = await startConsul(found);
    const store = open(server.host);
    const made = await server.call('session/create', { method: 'PUT', body: '{"TTL":"10s","LockDelay":"2s"}' });
    const { ID } = JSON.parse(made.body) as { ID: string };
    await server.call(`kv/app/~rxkv/k/.lock?acquire=${ID}`, { method: 'PUT', body: 'theirs' });
    await server.call(`session/destroy/${ID}`, { method: 'PUT' });
    const began = performance.now();
    const lock = await store.lock('k');
    expect(performance.now() - began).toBeGreaterThan(1000);
    const { body } = await server.call('kv/app/~rxkv/k/.lock');
    const [{ Session = '' } = {}] = JSON.parse(body) as { Session?: string }[];
    const rival = store.lock('k');
    const lost = performance.now();
    await server.call(`session/destroy/${Session}`, { method: 'PUT' });
    await rival;
    expect(performance.now() - lost).toBeLessThan(1000);
    expect(lock.held).toBe(false);
  }, 30_000);

  test('a release that comes late, when another holds, is refused', async () => {
    await using server = await startConsul(found);
    await using front = await startFront(server.host);
    const [store, other] = [open(front.host), open(server.host)];
    const lock = await store.lock('k');
    let pass: () => void = () => undefined;
    let waiting = false;
    front.decide = ({ body, path }) => {
      if (path.startsWith('/session/destroy')) return { answer: { status: 200, body: 'true' } };
      if (!body.includes('"delete"') || !body.includes('/.lock"')) return undefined;
      waiting = true;
      return {
        after: new Promise<void>(resolve => {
          pass = resolve;
        }),
      };
    };
    const released = lock.release();
    await until('the release to be on its way', () => waiting);
    const { body } = await server.call('session/list');
    for (const { ID } of JSON.parse(body) as { ID: string }[]) await server.call(`session/destroy/${ID}`, { method: 'PUT' });
    const next = await other.lock('k');
    pass();
    await released;
    await other.put('x', '1', { lock: next });
    expect([next.held, next.signal.aborted]).toEqual([true, false]);
    await next.release();
  }, 30_000);

  test('pitfall 27: who unsubscribes while the lock is being taken leaves nothing, though the answer never came', async () => {
    await using server = await startConsul(found, quick);
    await using front = await startFront(server.host);
    const [store, other] = [open(front.host), open(server.host)];
    let release: () => void = () => undefined;
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    let taking = false;
    front.decide = ({ body }) => {
      if (!body.includes('"lock"') || !body.includes('/.lock"')) return undefined;
      taking = true;
      return { after: held };
    };
    const waiting = store.lock$('k').subscribe();
    await until('the lock to be about to be taken', () => taking);
    waiting.unsubscribe();
    release();
    const lock = await other.lock('k');
    expect(lock.held).toBe(true);
    await lock.release();
    await until('nothing to be left', async () => (await server.call('kv/app/?keys')).status === 404);
  }, 30_000);

  test('pitfall 28: thirty contenders of six stores have as many turns each, and never two at once', async () => {
    await using server = await startConsul(found);
    const stores = Array.from({ length: 6 }, () => open(server.host));
    let inside = 0;
    let most = 0;
    const turns: number[] = Array.from({ length: 30 }, () => 0);
    let going = true;
    const work = turns.map(async (_, i) => {
      while (going) {
        await (stores[i % 6] as Store).withLock('herd', async () => {
          most = Math.max(most, ++inside);
          turns[i] = (turns[i] ?? 0) + 1;
          inside--;
        });
        if (turns.reduce((a, b) => a + b) >= 150) going = false;
      }
    });
    await Promise.all(work);
    expect(most).toBe(1);
    expect(Math.max(...turns) - Math.min(...turns)).toBeLessThanOrEqual(2);
  }, 60_000);

  test('two contenders of one session exclude each other too', async () => {
    await using server = await startConsul(found);
    const driver = consul({ hosts: server.host });
    driver.start({ timeout: 5000, silence: 10_000, logger: { debug() {}, info() {}, warn() {}, error() {} }, ending: () => undefined });
    closing.push(() => driver.close());
    let session: Session | undefined;
    driver.session$(15_000).subscribe({ next: live => (session = live), error: () => undefined });
    const live = await until('the session', () => session);
    const fences: bigint[] = [];
    const value = new Uint8Array([1]);
    const first = driver.acquire$?.(live, '~rxkv/k', value).subscribe(({ fence }) => fences.push(fence));
    await until('the first to hold', () => fences.length === 1);
    let behind = 0;
    driver
      .acquire$?.(live, '~rxkv/k', value, () => behind++)
      .subscribe({ next: ({ fence }) => fences.push(fence), error: () => undefined });
    await until('the second to be behind', () => behind > 0);
    expect(fences.length).toBe(1);
    first?.unsubscribe();
    await until('the second to hold', () => fences.length === 2);
    expect(fences[1]).toBeGreaterThan(fences[0] as bigint);
  }, 30_000);
});
