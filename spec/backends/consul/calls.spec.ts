/** Calls: what travels together, what is asked again, what the server refuses, and keys of others. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { consul } from '../../../src/backends/consul/index.js';
import { delay } from '../../../src/delay.js';
import { createStore, type KvError, type Store, text } from '../../../src/index.js';
import { type Consul, startConsul } from '../../servers/consul.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { startFront } from './front.js';

describeProgram('consul', 'calls of consul', found => {
  let server: Consul;
  let roots = 0;
  const closing: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    server = await startConsul(found);
  });
  afterAll(() => server[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  /** Below a root of its own. */
  function open(host: string = server.host, root = `app${++roots}`): Store {
    const store = createStore(consul({ hosts: host, root }));
    closing.push(() => store.close());
    return store;
  }

  test('pitfall 30: of many who set a key to what it is already, each with the same entry, exactly one wins', async () => {
    const store = open();
    for (let round = 0; round < 5; round++) {
      const entry = await store.put(`k${round}`, 'same');
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, async () => store.atomicPut(`k${round}`, 'same', entry)));
      const won = outcomes.filter(({ status }) => status === 'fulfilled');
      expect(won.length).toBe(1);
      const lost = outcomes.filter(({ status }) => status === 'rejected').map(outcome => (outcome as { reason: KvError }).reason.code);
      expect(new Set(lost)).toEqual(new Set(['conflict']));
    }
  });

  test('pitfalls 19 and 20: gets of which some are missing, puts and deletions each have their own result, in few requests', async () => {
    await using front = await startFront(server.host);
    const store = open(front.host);
    const warnings: unknown[] = [];
    const warned = (warning: unknown): void => void warnings.push(warning);
    process.on('warning', warned);
    closing.push(async () => void process.off('warning', warned));
    const keys = Array.from({ length: 640 }, (_, i) => `k${i}`);
    await Promise.all(keys.filter((_, i) => i % 10 !== 0).map(async (key, i) => store.put(key, String(i % 7))));
    expect(front.seen.length).toBeLessThan(40);
    let before = front.seen.length;
    const got = await Promise.all(keys.map(async key => store.get(key)));
    expect(got.map((entry, i) => (entry === undefined) === (i % 10 === 0)).every(Boolean)).toBe(true);
    expect(front.seen.length - before).toBeLessThan(40);
    before = front.seen.length;
    const deleted = await Promise.all(keys.map(async key => store.delete(key)));
    expect(deleted).toEqual(keys.map((_, i) => i % 10 !== 0));
    expect(front.seen.length - before).toBeLessThan(80);
    expect((await store.list('')).size).toBe(0);
    before = front.seen.length;
    await store.get('k1');
    expect(front.seen.slice(before).map(({ method, path }) => [method, path.slice(0, 3)])).toEqual([['GET', '/kv']]);
    expect(warnings).toEqual([]);
  });

  test('deleteTree of the root has the timeout for each step and not for all, and one that is late ends it', async () => {
    await using front = await startFront(server.host);
    const store = open(front.host);
    const keys = Array.from({ length: 130 }, (_, i) => `k${i}`);
    await Promise.all(keys.map(async key => store.put(key, '')));
    const before = front.seen.length;
    front.decide = () => ({ after: delay(400) });
    await store.deleteTree('', { timeout: 700 });
    // The names, and three transactions.
    expect(front.seen.length - before).toBe(4);
    front.decide = () => undefined;
    expect((await store.list('')).size).toBe(0);
    await Promise.all(keys.map(async key => store.put(key, '')));
    const stuck = new Promise<never>(() => {});
    front.decide = ({ path }) => (path.startsWith('/txn') ? { after: stuck } : undefined);
    await expect(store.deleteTree('', { timeout: 300 })).rejects.toMatchObject({ code: 'timeout', outcome: 'unknown' });
    const waiting = createStore(consul({ hosts: server.host, root: 'tokens', auth: { token: async () => stuck } }));
    closing.push(() => waiting.close());
    await expect(waiting.deleteTree('', { timeout: 300 })).rejects.toMatchObject({ code: 'timeout' });
  });

  test('deleteTree of the root makes no further step once its signal has aborted', async () => {
    await using front = await startFront(server.host);
    const store = open(front.host);
    await Promise.all(Array.from({ length: 130 }, async (_, i) => store.put(`k${i}`, '')));
    const aborter = new AbortController();
    let go = (): void => undefined;
    const held = new Promise<void>(resolve => (go = resolve));
    let steps = 0;
    front.decide = ({ path }) => {
      if (!path.startsWith('/txn')) return undefined;
      if (steps++ === 0) aborter.abort();
      return { after: held };
    };
    await expect(store.deleteTree('', { signal: aborter.signal })).rejects.toMatchObject({ code: 'aborted', outcome: 'unknown' });
    go();
    // It waits for what was begun before it.
    await store.delete('k0');
    expect(steps).toBe(2);
  });

  test('64 puts that wait for one are one transaction', async () => {
    await using front = await startFront(server.host);
    const store = open(front.host);
    await store.ready();
    const before = front.seen.length;
    const keys = Array.from({ length: 65 }, (_, i) => `together/${i}`);
    const entries = await Promise.all(keys.map(async key => store.put(key, key)));
    expect(front.seen.length - before).toBe(2);
    expect(new Set(entries.slice(1).map(({ revision }) => revision)).size).toBe(1);
  });

  test('a 404 that is not of Consul is no absence: nothing is called empty that nobody has looked at', async () => {
    await using front = await startFront(server.host);
    const [store, writer] = [open(front.host, 'elsewhere'), open(server.host, 'elsewhere')];
    await writer.put('dir/a', '1');
    const sizes: number[] = [];
    const watching = store.watchTree$('dir').subscribe(({ size }) => sizes.push(size));
    await until('the snapshot', () => sizes.length === 1);
    let strangers = 0;
    front.decide = () => ({ answer: { status: 404, body: `page not found ${++strangers}` } });
    for (const call of [
      () => store.ready({ timeout: 1500 }),
      () => store.get('dir/a', { timeout: 1500 }),
      () => store.list('dir', { timeout: 1500 }),
      () => store.children('dir', { timeout: 1500 }),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('is not Consul') });
    const before = strangers;
    await writer.put('dir/b', '1');
    await until('the watch to be told so as well', () => strangers > before);
    front.decide = () => undefined;
    await until('both keys', () => sizes.at(-1) === 2);
    expect(sizes).not.toContain(0);
    watching.unsubscribe();
  });

  test('a server without its data yet, which knows no token, is unavailable; one with a leader says denied', async () => {
    await using front = await startFront(server.host);
    const store = open(front.host);
    await store.put('loading', '1');
    const seen: (string | undefined)[] = [];
    let failure: unknown;
    store.watch$('loading').subscribe({ next: entry => seen.push(text(entry)), error: (error: unknown) => (failure = error) });
    await until('the state', () => seen.length === 1);
    let refused = 0;
    const unknown = { answer: { status: 403, body: 'ACL not found' } };
    front.decide = ({ path }) => {
      if (path.includes('status/leader')) return { answer: { status: 200, body: '""' } };
      refused++;
      return unknown;
    };
    await expect(store.get('loading', { timeout: 1500 })).rejects.toMatchObject({ code: 'unavailable', transient: true });
    await expect(store.put('loading', 'x', { timeout: 1500 })).rejects.toSatisfy(
      (error: KvError) => error.code === 'unavailable' && error.outcome === undefined,
    );
    const [read, written] = [store.get('loading'), store.put('loading', '2')];
    const before = refused;
    await until('both to be refused', () => refused > before + 2);
    front.decide = () => undefined;
    expect([text(await read) !== undefined, text(await written)]).toEqual([true, '2']);
    await until('the watch to go on', () => seen.at(-1) === '2');
    expect(failure).toBeUndefined();
    front.decide = ({ path }) => (path.includes('status/leader') ? undefined : unknown);
    await expect(store.get('loading')).rejects.toMatchObject({ code: 'denied', message: 'consul knows no such token' });
  });

  test('a page is no answer of Consul, whoever sends it', async () => {
    await using front = await startFront(server.host);
    const store = open(front.host);
    front.decide = () => ({ answer: { status: 200, body: '<html>log in</html>', headers: { 'content-type': 'text/html' } } });
    const strange = { code: 'unavailable', message: expect.stringContaining('is not Consul') };
    for (const call of [
      () => store.ready({ timeout: 1000 }),
      () => store.get('a', { timeout: 1000 }),
      () => store.list('a', { timeout: 1000 }),
      () => store.deleteTree('a', { timeout: 1000 }),
    ])
      await expect(call()).rejects.toMatchObject(strange);
    await expect(store.put('a', 'x', { timeout: 1000 })).rejects.toMatchObject({ ...strange, outcome: 'unknown' });
  });

  test('pitfall 18: what the server has less room for than we is invalid, and nothing is written', async () => {
    await using small = await startConsul(found, { config: { limits: { txn_max_req_len: 2000, kv_max_value_size: 2000 } } });
    const store = open(small.host);
    await expect(store.put('large', 'x'.repeat(4000))).rejects.toMatchObject({ code: 'invalid', transient: false });
    expect(await store.exists('large')).toBe(false);
    const outcomes = await Promise.allSettled([store.put('a', 'x'), store.put('large', 'x'.repeat(4000)), store.put('b', 'x')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  test('deleteTree of the root goes by the names of its first level, and leaves locks alone', async () => {
    await using front = await startFront(server.host);
    const store = open(front.host);
    const lock = await store.lock('held');
    await Promise.all(Array.from({ length: 150 }, async (_, i) => store.put(`d${i}/k`, 'x')));
    await store.put('leaf', 'x');
    const before = front.seen.length;
    await store.deleteTree('', { lock });
    const bodies = front.seen.slice(before).filter(({ path }) => path.startsWith('/txn'));
    expect(bodies.length).toBe(3);
    for (const { body } of bodies) expect(body).toContain('check-session');
    expect((await store.list('')).size).toBe(0);
    await store.put('k', 'x', { lock });
    await lock.release();
    await expect(store.deleteTree('', { lock })).rejects.toMatchObject({ code: 'conflict' });
    expect(await store.exists('k')).toBe(true);
  });

  test('a put while the agent is down is sent once it is up: no server can have seen it', async () => {
    await using down = await startConsul(found);
    const store = open(down.host);
    await store.put('k', '1');
    await down.kill();
    // A connection of before may still look well, and what is lost on it is lost: a read that fails has done with it.
    await expect(store.get('k', { timeout: 300 })).rejects.toMatchObject({ transient: true });
    const putting = store.put('k', '2', { timeout: 15_000 });
    await down.start();
    expect(text(await putting)).toBe('2');
  }, 30_000);

  test('records of others that are no valid key are left out, counted and no harm; their flags stay but for one bit', async () => {
    const store = open(server.host, 'others');
    for (const key of ['others/a//b', 'others/folder/', 'others/.']) {
      const body = JSON.stringify([{ KV: { Verb: 'set', Key: key, Value: 'eA==' } }]);
      expect((await server.call('txn', { method: 'PUT', body })).status).toBe(200);
    }
    await server.call('kv/others/k?flags=42', { method: 'PUT', body: 'x' });
    expect([...(await store.list('')).keys()]).toEqual(['k']);
    let seen = 0;
    store.watchTree$('').subscribe(tree => (seen = tree.size));
    await until('the tree', () => seen === 1);
    expect((await store.health()).warnings).toEqual(['3 records below the root are no valid key and left out']);
    const entry = await store.get('k');
    const next = await store.atomicPut('k', 'y', entry);
    expect(((JSON.parse((await server.call('kv/others/k')).body) as { Flags: number }[])[0] as { Flags: number }).Flags).toBe(43);
    await store.atomicPut('k', 'z', next);
    expect(((JSON.parse((await server.call('kv/others/k')).body) as { Flags: number }[])[0] as { Flags: number }).Flags).toBe(42);
  });
});
