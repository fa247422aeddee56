/** Locks beside those of etcd's own command, in both directions, and under a partition. */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { etcd } from '../../../src/backends/etcd/index.js';
import { createStore, type Leader, type Lock } from '../../../src/index.js';
import { startProxy } from '../../faults/proxy.js';
import { startEtcd } from '../../servers/etcd.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';

describeProgram('etcd', 'locks of etcd', found => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  /** Runs etcdctl; what it has printed so far. */
  function etcdctl(host: string, ...args: string[]): { readonly child: ChildProcess; readonly printed: () => string } {
    const child = spawn(found.tools.etcdctl ?? 'etcdctl', ['--endpoints', host, ...args], {
      env: { ...process.env, ...found.env, ETCDCTL_API: '3' },
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    closing.push(async () => {
      child.kill('SIGKILL');
    });
    return { child, printed: () => text };
  }

  test('etcdctl lock waits for ours, and ours for that of etcdctl', async () => {
    await using server = await startEtcd(found);
    const store = createStore(etcd({ hosts: server.host, root: 'app' }));
    closing.push(() => store.close());
    const path = 'app/~rxkv/jobs%2Fnightly';
    const lock = await store.lock('jobs/nightly');
    const theirs = etcdctl(server.host, 'lock', path);
    await until('etcdctl to stand in the queue', async () => {
      const { body } = await server.call('kv/range', {
        key: Buffer.from(`${path}/`).toString('base64'),
        range_end: Buffer.from(`${path}0`).toString('base64'),
        count_only: true,
      });
      return (JSON.parse(body) as { count?: string }).count === '2';
    });
    expect(theirs.printed()).toBe('');
    await lock.release();
    await until('etcdctl to hold', () => theirs.printed().startsWith(`${path}/`));
    let ours: Lock | undefined;
    store.lock$('jobs/nightly').subscribe(held => (ours = held));
    await expect(store.lock('jobs/nightly', { wait: 300 })).rejects.toMatchObject({ code: 'conflict' });
    expect(ours).toBeUndefined();
    theirs.child.kill('SIGINT');
    const next = await until('ours to be held', () => ours);
    expect(next.fence).toBeGreaterThan(lock.fence);
  }, 30_000);

  test('leader$ shows whom etcdctl elect elected, and etcdctl elect --listen shows ours', async () => {
    await using server = await startEtcd(found);
    const store = createStore(etcd({ hosts: server.host, root: 'app' }));
    closing.push(() => store.close());
    let leader: Leader | undefined;
    store.leader$('office').subscribe(seen => (leader = seen));
    const theirs = etcdctl(server.host, 'elect', 'app/~rxkv/office', 'theirs');
    await until('their leader', () => leader?.id === 'theirs');
    store.elect$('office', { id: 'ours' }).subscribe();
    const listening = etcdctl(server.host, 'elect', '--listen', 'app/~rxkv/office');
    await until('etcdctl to show its leader', () => listening.printed().includes('theirs'));
    theirs.child.kill('SIGINT');
    await until('our leader', () => leader?.id === 'ours');
    await until('etcdctl to show ours', () => listening.printed().includes('ours'));
  }, 30_000);

  test('pitfall 12: the holder behind a partition is told before its rival holds', async () => {
    await using server = await startEtcd(found);
    await using proxy = startProxy(server.host);
    const [a, b] = [createStore(etcd({ hosts: proxy.host })), createStore(etcd({ hosts: server.host }))];
    closing.push(
      () => a.close(),
      () => b.close(),
    );
    const lock = await a.lock('k', { ttl: 3000 });
    let toldAt: number | undefined;
    lock.signal.addEventListener('abort', () => (toldAt = performance.now()));
    const rival = b.lock('k', { ttl: 3000 });
    proxy.blackhole();
    const next = await rival;
    const heldAt = performance.now();
    expect(toldAt ?? Number.POSITIVE_INFINITY).toBeLessThan(heldAt);
    expect(next.fence).toBeGreaterThan(lock.fence);
    await proxy.heal();
  }, 30_000);
});
