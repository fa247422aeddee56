/** Options and URLs of consul(): what is taken, what is refused at the door, and what goes over the wire. */
import { afterEach, describe, expect, test } from 'vitest';
import { consul } from '../../../src/backends/consul/index.js';
import type { ConsulOptions } from '../../../src/backends/consul/options.js';
import { createStore, type Store } from '../../../src/index.js';
import { open } from '../../../src/open.js';
import { type Front, startFront } from './front.js';

describe('options of consul()', () => {
  test.each<[object | undefined, string, RegExp]>([
    [undefined, 'invalid', /consul\(\) needs hosts: consul\(\{ hosts: 'localhost:8500' \}\)/],
    [{ hosts: [] }, 'invalid', /needs hosts/],
    [{ hosts: 'http://localhost:8500' }, 'invalid', /a host of consul\(\) is "host:port"/],
    [{ endpoint: 'localhost' }, 'invalid', /unknown option "endpoint" of consul\(\): did you mean "hosts"\?/],
    [{ hosts: 'h', token: 'x' }, 'invalid', /did you mean "auth"/],
    [{ hosts: 'h', auth: { username: 'a', password: 'b' } }, 'unsupported', /takes a token/],
    [{ hosts: 'h', datacenter: '' }, 'invalid', /datacenter of consul\(\) is a name/],
    [{ hosts: 'h', namespace: 7 }, 'invalid', /namespace of consul\(\) is a name/],
    [{ hosts: 'h', consistency: 'stale' }, 'invalid', /consistency of consul\(\) is "consistent" or "default"/],
    [{ hosts: 'h', sessionTtlMin: 0 }, 'invalid', /sessionTtlMin/],
    [{ hosts: 'h', sessionTtlMin: '500' }, 'invalid', /sessionTtlMin/],
    [{ hosts: 'h', connections: 1 }, 'invalid', /connections/],
    [{ hosts: 'h', root: 'a', rawRoot: 'b' }, 'invalid', /root or rawRoot/],
    [{ hosts: 'h', rawRoot: '/a' }, 'invalid', /rawRoot of consul\(\) has a segment/],
    [{ hosts: 'h', rawRoot: 'a/..' }, 'invalid', /rawRoot of consul\(\) has a segment/],
    [{ hosts: 'h', root: 'a\u00a0b' }, 'invalid', /not printable/],
    [{ hosts: 'h', root: 'r'.repeat(1025) }, 'invalid', /over the maximum/],
  ])('%j is refused', (options, code, message) => {
    expect(() => consul(options as ConsulOptions)).toThrow(message);
    expect(() => consul(options as ConsulOptions)).toThrow(expect.objectContaining({ code }));
  });

  test.each([
    ['consul:', /needs hosts/],
    ['consul://h/app?hosts=x', /has its place before the \?/],
    ['consul://me:secret@h/app', /a token in a consul: URL stands after a colon/],
    ['consul://h?connections=many', /whole number/],
    ['consul://h?datacentre=x', /did you mean "datacenter"/],
  ])('the URL %s is refused, without what is secret in it', async (url, message) => {
    const error = await open(url).catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ code: 'invalid', message: expect.stringMatching(message) as string });
    expect((error as Error).message).not.toContain('secret');
  });

  test('what a session may be at least and what a strong read asks for show in the capabilities', () => {
    expect(consul({ hosts: 'h' }).capabilities).toMatchObject({ ttlLag: 20_000, strongReads: 'linearizable' });
    expect(consul({ hosts: 'h', sessionTtlMin: 1000, consistency: 'default' }).capabilities).toMatchObject({
      ttlLag: 2000,
      strongReads: 'best-effort',
    });
  });
});

describe('on the wire', () => {
  let front: Front;
  let store: Store;
  afterEach(async () => {
    await store.close();
    await front[Symbol.asyncDispose]();
  });

  /** Without an agent: Consul Enterprise, which has namespaces and partitions, is not to be had. */
  async function start(options: Omit<ConsulOptions, 'hosts'>): Promise<void> {
    front = await startFront('127.0.0.1:1');
    const pair = { Key: 'k', Value: null, Flags: 0, CreateIndex: 5, ModifyIndex: 5 };
    front.decide = ({ path, method }) => {
      if (path.startsWith('/txn')) return { answer: { status: 200, body: JSON.stringify({ Results: [{ KV: pair }], Errors: null }) } };
      if (method === 'PUT') return { answer: { status: 200, body: '{"ID":"00000000-0000-0000-0000-000000000001"}' } };
      return { answer: { status: 200, body: JSON.stringify([pair]), headers: { 'x-consul-index': '5' } } };
    };
    store = createStore(consul({ hosts: front.host, ...options }));
  }

  test('datacenter, namespace and partition go with each request, and with each step of a transaction', async () => {
    await start({ datacenter: 'dc2', namespace: 'team', partition: 'west' });
    await store.get('k');
    await store.put('k', 'x');
    await store.put('k', 'x', { ttl: 5000 });
    store.watch$('k').subscribe();
    await expect.poll(() => front.seen.length).toBeGreaterThanOrEqual(5);
    for (const { query } of front.seen) expect([query.get('dc'), query.get('ns'), query.get('partition')]).toEqual(['dc2', 'team', 'west']);
    const steps = front.seen.filter(({ path }) => path.startsWith('/txn')).flatMap(({ body }) => JSON.parse(body) as { KV: object }[]);
    expect(steps.length).toBeGreaterThanOrEqual(3);
    for (const { KV } of steps) expect(KV).toMatchObject({ Namespace: 'team', Partition: 'west' });
  });

  test('a URL says as much: the token before the hosts, the root as the path, the rest in the query', async () => {
    await start({});
    const opened = await open(`consul://:to%2Fken@${front.host}/app?datacenter=dc2&connections=20`);
    await opened.get('k');
    const [asked] = front.seen;
    expect([asked?.path.split('?')[0], asked?.query.get('dc'), asked?.headers['x-consul-token']]).toEqual(['/kv/app%2Fk', 'dc2', 'to/ken']);
    await opened.close();
  });

  test('a strong read is consistent, or as the option says; a stale one is stale', async () => {
    await start({});
    await store.get('k');
    await store.get('k', { consistency: 'stale' });
    expect(front.seen.map(({ query }) => [...query.keys()])).toEqual([['consistent'], ['stale']]);
    const seen = front.seen.length;
    const other = createStore(consul({ hosts: front.host, consistency: 'default' }));
    await other.get('k');
    expect([...(front.seen[seen]?.query.keys() ?? ['none'])]).toEqual([]);
    await other.close();
  });

  test('the first question of a watch is consistent: a leader that was just elected may be behind', async () => {
    await start({});
    store.watch$('k').subscribe();
    store.watchTree$('d').subscribe();
    await expect.poll(() => front.seen.filter(({ query }) => query.has('index')).length).toBeGreaterThanOrEqual(2);
    const first = front.seen.filter(({ query }) => !query.has('index'));
    expect(first.length).toBeGreaterThanOrEqual(2);
    expect(first.every(({ query }) => query.has('consistent'))).toBe(true);
  });

  test('the token is in no URL, and in no message and cause of an error', async () => {
    await start({ auth: { token: 'very-secret' } });
    front.decide = () => ({ answer: { status: 500, body: 'Permission denied' } });
    const error = await store.get('k').catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ code: 'denied' });
    expect(front.seen[0]?.headers['x-consul-token']).toBe('very-secret');
    expect(front.seen.some(({ path }) => path.includes('secret'))).toBe(false);
    const { inspect } = await import('node:util');
    expect(inspect(error, { depth: 10 })).not.toContain('very-secret');
  });

  test('a provider of tokens is asked when one is first needed, and once more after a refusal', async () => {
    let asked = 0;
    await start({ auth: { token: async () => `token-${++asked}` } });
    const { decide } = front;
    front.decide = request =>
      request.headers['x-consul-token'] === 'token-1' ? { answer: { status: 403, body: 'ACL not found' } } : decide(request);
    expect(asked).toBe(0);
    await Promise.all(Array.from({ length: 8 }, (_, i) => store.get(`k${i}`)).map(get => get.catch(() => undefined)));
    await store.put('k', 'x');
    expect(asked).toBe(2);
    front.decide = () => ({ answer: { status: 403, body: 'Permission denied' } });
    await expect(store.put('k', 'x')).rejects.toMatchObject({ code: 'denied' });
    expect(asked).toBe(3);
  });

  test('a provider of tokens who does not answer keeps nobody waiting beyond the timeout', async () => {
    await start({ auth: { token: () => new Promise<string>(() => {}) } });
    const calls = [
      () => store.get('k', { timeout: 100 }),
      () => store.list('d', { timeout: 100 }),
      () => store.put('k', 'x', { timeout: 100 }),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'timeout' });
    expect((await store.health({ timeout: 100 })).error?.code).toBe('timeout');
  });

  test('flags of 64 bits are not rounded: what consul lock knows a lock by', async () => {
    await start({});
    const { txnBody } = await import('../../../src/backends/consul/wire.js');
    const body = txnBody([{ verb: 'lock', key: 'a"b', value: new Uint8Array([1]), session: 's', flags: '3304740253564472344' }], {
      namespace: undefined,
      partition: undefined,
    });
    expect(body.toString()).toBe('[{"KV":{"Verb":"lock","Key":"a\\"b","Value":"AQ==","Flags":3304740253564472344,"Session":"s"}}]');
  });
});
