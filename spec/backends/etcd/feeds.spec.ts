/** Feeds under faults: each revision once and in order, whatever is cut; a server that lost its data says the state anew. */
import { tap } from 'rxjs';
import { expect, test } from 'vitest';
import type { Driver, Feed, Range } from '../../../src/driver.js';
import { retryTransient, type Snapshot } from '../../../src/index.js';
import { startEtcd } from '../../servers/etcd.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { Scene } from './scene.js';

const call = { timeout: 5000 };

/** What a feed has said. */
class Record {
  /** The revision of each put, in the order in which they were told. */
  readonly puts: bigint[] = [];
  resets = 0;
  failure: unknown;
  readonly stop: () => void;

  constructor(driver: Driver, range: Range, since?: bigint) {
    const feed = driver.feed$(range, since).subscribe({
      next: message => this.take(message),
      error: (error: unknown) => (this.failure = error),
    });
    this.stop = () => feed.unsubscribe();
  }

  private take(message: Feed): void {
    if (message.type === 'reset') this.resets++;
    if (message.type !== 'patch') return;
    for (const change of message.changes) if ('put' in change) this.puts.push(change.put.revision);
  }
}

function isRising(revisions: readonly bigint[]): boolean {
  return revisions.every((revision, i) => i === 0 || revision >= (revisions[i - 1] ?? revision));
}

/** Writes a revision of two keys so many times, some side by side; the revisions. */
async function write(
  driver: Driver,
  times: number,
  value: Uint8Array<ArrayBuffer>,
  each?: (written: number) => void,
): Promise<Set<bigint>> {
  const revisions = new Set<bigint>();
  while (revisions.size < times) {
    const writes = Array.from({ length: 50 }, (_, i) => [
      { put: `k${i}`, value },
      { put: `twin${i}`, value },
    ]);
    const outcomes = await Promise.all(writes.map(ops => driver.commit({ checks: [], ops }, call)));
    for (const outcome of outcomes) if (outcome.ok) revisions.add(outcome.results[0]?.entry?.revision ?? 0n);
    each?.(revisions.size);
  }
  return revisions;
}

describeProgram('etcd', 'feeds of etcd under faults', found => {
  test('pitfall 1: cut while it catches up with 5,000 revisions, it goes on from where it was, not from the head', async () => {
    await using scene = new Scene(await startEtcd(found));
    const proxy = scene.proxy();
    const [reader, writer] = [scene.driver({ hosts: proxy.host }), scene.driver()];
    const { revision } = await writer.list({ prefix: '' }, { ...call, consistency: 'strong' });
    const revisions = await write(writer, 5000, new Uint8Array(200));
    const cuts = [proxy.cutAfter(900_000, 'down')];
    const record = new Record(reader, { prefix: '' }, revision);
    await cuts[0];
    cuts.push(proxy.cutAfter(900_000, 'down'));
    await until('all revisions', () => record.failure !== undefined || record.puts.length >= 10_000);
    record.stop();
    expect(await Promise.all(cuts)).toEqual([true, true]);
    expect([record.failure, record.resets, record.puts.length]).toEqual([undefined, 0, 10_000]);
    expect(new Set(record.puts)).toEqual(revisions);
    expect(isRising(record.puts)).toBe(true);
  }, 60_000);

  test('pitfall 2: 20,000 revisions with random cuts: none is missing, none comes twice, none out of order', async () => {
    await using scene = new Scene(await startEtcd(found));
    const proxy = scene.proxy();
    const [reader, writer] = [scene.driver({ hosts: proxy.host }), scene.driver()];
    const record = new Record(reader, { prefix: '' });
    await until('the first reset', () => record.resets === 1);
    // Larger than one answer while a watch catches up (1,000 revisions): a smaller one would never get through.
    proxy.cutAtRandom(7, 3_000_000);
    const revisions = await write(writer, 20_000, new Uint8Array(200), written => {
      if (written % 500 === 0) proxy.cut();
    });
    const all = revisions.size * 2;
    await until('all revisions', () => record.failure !== undefined || record.puts.length >= all, { within: 30_000 });
    record.stop();
    expect([record.failure, record.resets]).toEqual([undefined, 1]);
    const told = new Set(record.puts);
    expect({
      missing: [...revisions].filter(revision => !told.has(revision)).length,
      twice: record.puts.length - all,
      ordered: isRising(record.puts),
    }).toEqual({ missing: 0, twice: 0, ordered: true });
    expect(revisions.size).toBe(20_000);
    // One before the first cut; each further one stands for a cut that met an open connection.
    expect(proxy.counts.total - 1).toBeGreaterThanOrEqual(20);
  }, 120_000);

  test('pitfall 3: what was compacted during a cut is no error: the tree is that of the server', async () => {
    await using scene = new Scene(await startEtcd(found));
    const proxy = scene.proxy();
    const [store, other] = [scene.store({ hosts: proxy.host }), scene.store()];
    for (let i = 0; i < 50; i++) await other.put(`t/${i}`, 'before');
    let last: Snapshot | undefined;
    let failure: unknown;
    store.watchTree$('t').subscribe({ next: tree => (last = tree), error: (error: unknown) => (failure = error) });
    await until('the first snapshot', () => last?.size === 50);
    await proxy.refuse();
    proxy.cut();
    await other.deleteTree('t');
    for (let i = 25; i < 75; i++) await other.put(`t/${i}`, 'after');
    await scene.operator.compact();
    await proxy.heal();
    await until('the tree to be told', () => failure !== undefined || last?.has('t/74') === true);
    expect(failure).toBeUndefined();
    expect([...(last ?? [])]).toEqual([...(await other.list('t'))]);
  }, 30_000);

  test('pitfall 4: a server that lost its data is a new snapshot, without an error', async () => {
    await using scene = new Scene(await startEtcd(found));
    const store = scene.store({ root: 'lost' }, { silence: 10_000 });
    for (let i = 0; i < 20; i++) await store.put(`k${i}`, 'x');
    let last: Snapshot | undefined;
    let failure: unknown;
    store.watchTree$('').subscribe({ next: tree => (last = tree), error: (error: unknown) => (failure = error) });
    await until('the first snapshot', async () => last?.size === 20);
    await scene.server.restart('lost');
    await until('the empty snapshot', async () => failure !== undefined || last?.size === 0, { within: 10_000 });
    expect(failure).toBeUndefined();
    await store.put('new', 'x');
    await until('what is written afterwards', async () => last?.has('new') === true);
  }, 30_000);

  test('pitfall 7: a server that is stopped for 4 s is told within 3 s, and afterwards nothing is missing', async () => {
    await using scene = new Scene(await startEtcd(found));
    const store = scene.store({ root: 'stop' }, { silence: 2000, timeout: 1000 });
    await store.put('0', 'x');
    let last: Snapshot | undefined;
    let failedAt: number | undefined;
    store
      .watchTree$('')
      .pipe(tap({ error: () => (failedAt ??= performance.now()) }), retryTransient({ first: 100, most: 500 }))
      .subscribe(tree => (last = tree));
    await until('the first snapshot', () => last?.size === 1);
    const began = performance.now();
    scene.server.pause();
    try {
      await expect(store.get('0')).rejects.toMatchObject({ code: 'timeout' });
      expect(performance.now() - began).toBeLessThan(1500);
      await until('the silence to be an error', () => failedAt, { within: 4000 });
      expect((failedAt ?? 0) - began).toBeLessThanOrEqual(3000);
      await until('4 s to pass', () => performance.now() - began > 4000, { within: 6000 });
    } finally {
      scene.server.resume();
    }
    await until('an answer', async () => store.get('0'));
    for (let i = 1; i <= 100; i++) await store.put(String(i), 'x');
    await until('all of it', () => last?.size === 101);
  }, 40_000);

  test('a member that hangs for ever is left for another within silence, without an error', async () => {
    await using scene = new Scene(await startEtcd(found));
    const proxies = [scene.proxy(), scene.proxy()];
    const store = scene.store({ hosts: proxies.map(({ host }) => host) }, { silence: 6000 });
    const other = scene.store();
    let last: Snapshot | undefined;
    let failure: unknown;
    store.watchTree$('t').subscribe({ next: tree => (last = tree), error: (error: unknown) => (failure = error) });
    await until('the first snapshot', () => last?.size === 0);
    const hanging = proxies.find(({ counts }) => counts.open > 0);
    hanging?.blackhole();
    await other.put('t/1', 'x');
    await until('what was written meanwhile', () => failure !== undefined || last?.size === 1, { within: 8000 });
    expect([failure, last?.size]).toEqual([undefined, 1]);
    // The store is closed over the other one: nothing of it may wait for the one that hangs.
    const began = performance.now();
    await store.close();
    expect(performance.now() - began).toBeLessThan(1000);
  }, 30_000);

  test('pitfall 15: a backlog and a tree of 8 MB', async () => {
    await using scene = new Scene(await startEtcd(found));
    const driver = scene.driver({ root: 'large' });
    const value = new Uint8Array(100_000);
    const { revision } = await driver.list({ prefix: '' }, { ...call, consistency: 'strong' });
    for (let i = 0; i < 80; i++) await driver.commit({ checks: [], ops: [{ put: `k${i}`, value }] }, call);
    expect((await driver.list({ prefix: '' }, { ...call, consistency: 'strong' })).entries.length).toBe(80);
    let told = 0;
    let resets = 0;
    const feed = driver.feed$({ prefix: '' }, revision).subscribe(message => {
      if (message.type === 'reset') resets++;
      if (message.type === 'patch') told += message.changes.length;
    });
    await until('the backlog', async () => told === 80, { within: 10_000 });
    feed.unsubscribe();
    expect(resets).toBe(0);
  }, 40_000);

  test('pitfall 14: nothing is left on the server once everybody has unsubscribed', async () => {
    await using scene = new Scene(await startEtcd(found));
    const store = scene.store({ root: 'left' });
    const subscriptions = Array.from({ length: 200 }, (_, i) => store.watchTree$(`d${i}`).subscribe());
    await until('all watches', async () => (await scene.operator.watches()) === 200, { within: 10_000 });
    expect(await scene.operator.streams()).toBe(1);
    const held = await store.lock('job');
    await held.release();
    for (const subscription of subscriptions) subscription.unsubscribe();
    await until('no watches', async () => (await scene.operator.watches()) === 0, { within: 5000 });
    expect([await scene.operator.streams(), await scene.operator.leases()]).toEqual([0, 0]);
  }, 40_000);
});
