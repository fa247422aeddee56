/** Feeds under faults: an index that goes back, answers that break off, wake-ups for nothing, and trees that are looked through. */
import { afterEach, expect, test } from 'vitest';
import { consul } from '../../../src/backends/consul/index.js';
import { createStore, diff, type Entry, type KvError, retryTransient, type Snapshot, type Store, text } from '../../../src/index.js';
import { quietFor } from '../../../src/conformance/waiting.js';
import { startProxy } from '../../faults/proxy.js';
import { startConsul } from '../../servers/consul.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { startFront } from './front.js';

/** Watches something, and tells what it said last and what it failed with. */
interface Watch<T> {
  readonly values: T[];
  failure: unknown;
}

describeProgram('consul', 'feeds of consul under faults', found => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  function open(host: string, options: { silence?: number; timeout?: number; root?: string } = {}): Store {
    const { root = 'app', ...more } = options;
    const store = createStore(consul({ hosts: host, root }), more);
    closing.push(() => store.close());
    return store;
  }

  function watched<T>(source: { subscribe(observer: object): unknown }): Watch<T> {
    const watch: Watch<T> = { values: [], failure: undefined };
    source.subscribe({ next: (value: T) => watch.values.push(value), error: (error: unknown) => (watch.failure = error) });
    return watch;
  }

  const last = (watch: Watch<Entry | undefined>): string | undefined => text(watch.values.at(-1));

  test('a cut is counted from when it began, also where the query that it broke had long been silent', async () => {
    await using server = await startConsul(found);
    await using proxy = startProxy(server.host);
    const silence = 4000;
    const store = open(proxy.host, { silence });
    const [writer, began] = [open(server.host), performance.now()];
    await writer.put('k', '1');
    const key = watched<Entry | undefined>(store.watch$('k'));
    await until('the state before', () => last(key) === '1');
    await quietFor(silence * 0.6, 'a query waits for three quarters of it');
    await proxy.refuse();
    proxy.cut();
    await until('the silence since the last answer to be over', () => performance.now() - began > silence * 1.2, { within: silence * 2 });
    await proxy.heal();
    await writer.put('k', '2');
    await until('the change', () => last(key) === '2' || key.failure !== undefined);
    expect(key.failure).toBeUndefined();
  }, 60_000);

  test('pitfall 3: a server that lost its data is a new state, and the next write is heard at once', async () => {
    await using server = await startConsul(found);
    const store = open(server.host, { silence: 30_000 });
    for (let i = 0; i < 50; i++) await store.put(`tree/k${i}`, 'x');
    await store.put('k', 'before');
    const [key, tree] = [watched<Entry | undefined>(store.watch$('k')), watched<Snapshot>(store.watchTree$('tree'))];
    await until('the state before', () => last(key) === 'before' && tree.values.at(-1)?.size === 50);
    await server.restart('lost');
    await until('the loss to be told', () => last(key) === undefined && tree.values.at(-1)?.size === 0, { within: 10_000 });
    await open(server.host).put('k', 'after');
    await until('the write after it', () => last(key) === 'after', { within: 2000 });
    expect([key.failure, tree.failure]).toEqual([undefined, undefined]);
  }, 60_000);

  test('kill -9 and a restart with kept data: what was written is there, nothing comes twice, ten pooled sockets are no error of a read', async () => {
    await using server = await startConsul(found);
    const store = open(server.host, { silence: 30_000, timeout: 10_000 });
    await store.put('k', '1');
    await Promise.all(Array.from({ length: 10 }, (_, i) => store.list(`d${i}`)));
    const key = watched<Entry | undefined>(store.watch$('k'));
    await until('the state before', () => last(key) === '1');
    await server.restart('kept');
    await Promise.all(Array.from({ length: 10 }, () => store.get('k')));
    await until('a write', async () => store.put('k', '2').then(() => true));
    await until('the change', () => last(key) === '2');
    expect(key.values.map(entry => text(entry))).toEqual(['1', '2']);
    expect(key.failure).toBeUndefined();
  }, 60_000);

  test('pitfall 4: a restored snapshot, whose index goes back, is told within a second', async () => {
    await using server = await startConsul(found);
    const store = open(server.host);
    await store.put('k', 'saved');
    await store.put('tree/a', 'saved');
    const [key, tree] = [watched<Entry | undefined>(store.watch$('k')), watched<Snapshot>(store.watchTree$('tree'))];
    const saved = await fetch(`${server.url}/v1/snapshot`).then(answer => answer.arrayBuffer());
    for (let i = 0; i < 30; i++) await store.put('k', `later ${i}`);
    await store.put('tree/b', 'later');
    await until('what was written later', () => last(key) === 'later 29' && tree.values.at(-1)?.size === 2);
    const restored = await fetch(`${server.url}/v1/snapshot`, { method: 'PUT', body: saved });
    expect(restored.status).toBe(200);
    await until('the state of before', () => last(key) === 'saved' && tree.values.at(-1)?.size === 1, { within: 2000 });
    await until('a write', async () => store.put('k', 'new').then(() => true));
    await until('the change after it', () => last(key) === 'new', { within: 2000 });
    expect([key.failure, tree.failure]).toEqual([undefined, undefined]);
  }, 60_000);

  test('pitfall 5: tombstones that are collected let the index go back: nothing is lost, and no revision goes back', async () => {
    await using server = await startConsul(found);
    await using front = await startFront(server.host);
    const [store, writer] = [open(front.host, { silence: 2000 }), open(server.host)];
    for (const key of ['tree/a', 'tree/b']) await writer.put(key, '1');
    const tree = watched<Snapshot>(store.watchTree$('tree'));
    await until('both', () => tree.values.at(-1)?.size === 2);
    await writer.delete('tree/b');
    await until('the deletion', () => tree.values.at(-1)?.size === 1);
    // As a server says it once the tombstone is gone: the index is that of the last key which is left.
    let collected = 0;
    front.decide = ({ path, query }) => {
      if (!path.includes('tree') || !query.has('index') || collected > 0) return undefined;
      collected++;
      return { headers: { 'x-consul-index': '1' } };
    };
    await until('an answer with an index of before', () => collected === 1);
    await writer.put('tree/c', '1');
    await until('the write after it', () => tree.values.at(-1)?.has('tree/c') === true);
    const revisions = tree.values.map(({ revision }) => revision);
    expect([...revisions].sort((a, b) => Number(a - b))).toEqual(revisions);
    expect(tree.failure).toBeUndefined();
  }, 60_000);

  test('pitfall 6: siblings of an absent key wake a query, and nobody who watches', async () => {
    await using server = await startConsul(found);
    await using front = await startFront(server.host);
    const [store, writer] = [open(front.host), open(server.host)];
    const [key, tree] = [watched<Entry | undefined>(store.watch$('near/k')), watched<Snapshot>(store.watchTree$('near/k'))];
    await until('the absence', () => key.values.length === 1 && tree.values.length === 1);
    const asked = front.seen.length;
    for (let i = 0; i < 100; i++) await writer.put(`near/k${i}`, 'x');
    await until('queries to have been woken', () => front.seen.length > asked + 10);
    await writer.put('near/k', 'mine');
    await until('the key', () => last(key) === 'mine');
    expect([key.values.length, tree.values.length]).toEqual([2, 1]);
  }, 60_000);

  test('pitfall 2: an answer that breaks off is an error within a second, and none of a watch', async () => {
    await using server = await startConsul(found);
    await using front = await startFront(server.host);
    const [store, writer] = [open(front.host), open(server.host)];
    await writer.put('k', '1');
    let truncating = true;
    front.decide = ({ path }) => (truncating && path.includes('k') ? { truncated: true } : undefined);
    const began = performance.now();
    await expect(store.get('k', { timeout: 800 })).rejects.toMatchObject({ transient: true });
    // It was asked again and again: none of them was waited on.
    expect(front.seen.length).toBeGreaterThan(2);
    expect(performance.now() - began).toBeLessThan(1500);
    const key = watched<Entry | undefined>(store.watch$('k'));
    await until('some that broke off', () => front.seen.length > 8);
    truncating = false;
    await until('the state', () => last(key) === '1');
    expect(key.failure).toBeUndefined();
  }, 60_000);

  test('pitfall 23: an agent that is stopped is an error in time, and everything is there once it goes on', async () => {
    await using server = await startConsul(found);
    const store = open(server.host, { silence: 2000, timeout: 1000 });
    await store.put('k', '1');
    const key = watched<Entry | undefined>(store.watch$('k'));
    await until('the state', () => last(key) === '1');
    server.pause();
    const began = performance.now();
    try {
      await expect(store.get('k')).rejects.toMatchObject({ code: 'timeout' });
      await expect(store.put('k', '2')).rejects.toMatchObject({ code: 'timeout', outcome: 'unknown' });
      await until('the silence to be an error', () => key.failure !== undefined, { within: 4000 });
      expect(performance.now() - began).toBeLessThan(4000);
      expect((key.failure as KvError).transient).toBe(true);
    } finally {
      server.resume();
    }
    const again = watched<Entry | undefined>(store.watch$('k').pipe(retryTransient()));
    await until('an answer', async () => (await store.get('k').catch(() => undefined)) !== undefined);
    await store.put('k', '3');
    await until('the change', () => last(again) === '3');
  }, 60_000);

  test('one watch after an outage makes few questions: no storm while the agent is away', async () => {
    await using server = await startConsul(found);
    await using front = await startFront(server.host);
    const store = open(front.host, { silence: 60_000 });
    const key = watched<Entry | undefined>(store.watch$('k'));
    await until('the absence', () => key.values.length === 1);
    front.decide = () => ({ answer: { status: 500, body: 'No cluster leader' } });
    const before = front.seen.length;
    const began = performance.now();
    await until('five seconds', () => performance.now() - began > 5000);
    expect(front.seen.length - before).toBeLessThan(20);
    front.decide = () => undefined;
    await open(server.host).put('k', '1');
    await until('the change', () => last(key) === '1', { within: 3000 });
    expect(key.failure).toBeUndefined();
  }, 60_000);

  test('a tree of 24,000 keys in directories is never read as a whole again, and every snapshot is one state', async () => {
    await using server = await startConsul(found);
    await using front = await startFront(server.host);
    const [store, writer] = [open(front.host), open(server.host)];
    const key = (i: number): string => `large/d${i % 40}/k${i}`;
    const all = Array.from({ length: 24_000 }, (_, i) => key(i));
    for (let at = 0; at < all.length; at += 4000) await Promise.all(all.slice(at, at + 4000).map(async name => writer.put(name, 'x')));
    const tree = watched<Snapshot>(store.watchTree$('large'));
    const changes = watched<{ readonly type: string; readonly key: string }>(store.watchTree$('large').pipe(diff({ initial: 'skip' })));
    await until('all', () => tree.values.at(-1)?.size === 24_000);
    const wholes = (): number =>
      front.seen.filter(({ path, query }) => path.startsWith('/kv/app%2Flarge%2F?') && query.has('recurse')).length;
    await writer.put(key(7), 'changed');
    await until('the first change', () => changes.values.length === 1);
    const before = wholes();
    for (let round = 0; round < 12; round++) {
      // Two directories at once, a new one, one that goes, and a key beside them.
      const value = `round ${round}`;
      const ops = [key(round * 2), key(round * 2 + 1), `large/new${round}/k`, 'large/leaf'].map(put => ({ put, value }));
      await writer.transaction({ ops: [...ops, { deleteTree: `large/d${39 - round}` }, { delete: key(500 + round) }] });
    }
    const wanted = await writer.list('large');
    const state = (snapshot: Snapshot | undefined): string => JSON.stringify(snapshot?.toObject());
    await until('what list gives', () => state(tree.values.at(-1)) === state(wanted), { within: 10_000 });
    expect(wholes()).toBe(before);
    for (const snapshot of tree.values.slice(1)) {
      const leaf = snapshot.get('large/leaf');
      const round = leaf === undefined ? -1 : Number(text(leaf).slice(6));
      expect([...Array(12).keys()].map(i => snapshot.has(`large/new${i}/k`))).toEqual([...Array(12).keys()].map(i => i <= round));
      for (let i = 0; i < 12; i++) expect(snapshot.has(`large/d${39 - i}/k${39 - i}`)).toBe(i > round);
    }
    await writer.delete('large/leaf');
    await until('the key beside them to go', () => tree.values.at(-1)?.has('large/leaf') === false);
    expect([tree.failure, changes.failure]).toEqual([undefined, undefined]);
  }, 120_000);

  test('keys that no URL takes are read, listed and watched like others', async () => {
    await using server = await startConsul(found);
    const [store, writer]: Store[] = [open(server.host), open(server.host)];
    const odd = 'a\u00a0b/c\u200bd';
    const key = watched<Entry | undefined>((store as Store).watch$(odd));
    const tree = watched<Snapshot>((store as Store).watchTree$('a\u00a0b'));
    await until('the absence', () => key.values.length === 1 && tree.values.length === 1);
    await (writer as Store).put(odd, '1');
    await until('the key', () => last(key) === '1' && tree.values.at(-1)?.has(odd) === true);
    expect(text(await (store as Store).get(odd))).toBe('1');
    expect((await (store as Store).list('a\u00a0b', { depth: 1 })).size).toBe(1);
    await (writer as Store).deleteTree('a\u00a0b');
    await until('its deletion', () => last(key) === undefined && tree.values.at(-1)?.size === 0);
  }, 60_000);
});
