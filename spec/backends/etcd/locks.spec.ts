/** Locks beside those of etcd's own command, in both directions, and under a partition. */
import { spawn } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import type { Leader, Lock } from '../../../src/index.js';
import { startEtcd } from '../../servers/etcd.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { Scene } from './scene.js';

interface Etcdctl {
  /** What it has printed so far. */
  readonly printed: () => string;
  /** As Ctrl-C: it gives up what it holds. */
  readonly interrupt: () => void;
}

describeProgram('etcd', 'locks of etcd', found => {
  function etcdctl(host: string, ...args: string[]): Etcdctl {
    const child = spawn(found.tools.etcdctl ?? 'etcdctl', ['--endpoints', host, ...args], {
      env: { ...process.env, ...found.env, ETCDCTL_API: '3' },
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    onTestFinished(() => void child.kill('SIGKILL'));
    return { printed: () => text, interrupt: () => void child.kill('SIGINT') };
  }

  test('etcdctl lock waits for ours, and ours for that of etcdctl', async () => {
    await using scene = new Scene(await startEtcd(found));
    const store = scene.store({ root: 'app' });
    const path = 'app/~rxkv/jobs%2Fnightly';
    const lock = await store.lock('jobs/nightly');
    const theirs = etcdctl(scene.server.host, 'lock', path);
    await until('etcdctl to stand in the queue', async () => (await scene.operator.count(`${path}/`)) === 2);
    expect(theirs.printed()).toBe('');
    await lock.release();
    await until('etcdctl to hold', () => theirs.printed().startsWith(`${path}/`));
    let ours: Lock | undefined;
    store.lock$('jobs/nightly').subscribe(held => (ours = held));
    await expect(store.lock('jobs/nightly', { wait: 300 })).rejects.toMatchObject({ code: 'conflict' });
    expect(ours).toBeUndefined();
    theirs.interrupt();
    const next = await until('ours to be held', () => ours);
    expect(next.fence).toBeGreaterThan(lock.fence);
  }, 30_000);

  test('leader$ shows whom etcdctl elect elected, and etcdctl elect --listen shows ours', async () => {
    await using scene = new Scene(await startEtcd(found));
    const store = scene.store({ root: 'app' });
    let leader: Leader | undefined;
    store.leader$('office').subscribe(seen => (leader = seen));
    const theirs = etcdctl(scene.server.host, 'elect', 'app/~rxkv/office', 'theirs');
    await until('their leader', () => leader?.id === 'theirs');
    store.elect$('office', { id: 'ours' }).subscribe();
    const listening = etcdctl(scene.server.host, 'elect', '--listen', 'app/~rxkv/office');
    await until('etcdctl to show its leader', () => listening.printed().includes('theirs'));
    theirs.interrupt();
    await until('our leader', () => leader?.id === 'ours');
    await until('etcdctl to show ours', () => listening.printed().includes('ours'));
  }, 30_000);

  test('etcdctl elect waits for our candidate, and leads once it has left', async () => {
    await using scene = new Scene(await startEtcd(found));
    const store = scene.store({ root: 'app' });
    let leader: Leader | undefined;
    store.leader$('office').subscribe(seen => (leader = seen));
    const ours = store.elect$('office', { id: 'ours' }).subscribe();
    await until('our leader', () => leader?.id === 'ours');
    const theirs = etcdctl(scene.server.host, 'elect', 'app/~rxkv/office', 'theirs');
    await until('etcdctl to stand in the queue', async () => (await scene.operator.count('app/~rxkv/office/')) === 2);
    expect([theirs.printed(), leader?.id]).toEqual(['', 'ours']);
    ours.unsubscribe();
    await until('etcdctl to lead', () => theirs.printed().includes('theirs') && leader?.id === 'theirs');
  }, 30_000);

  test('pitfall 12: the holder behind a partition is told before its rival holds', async () => {
    await using scene = new Scene(await startEtcd(found));
    const proxy = scene.proxy();
    const [a, b] = [scene.store({ hosts: proxy.host }, { timeout: 1000 }), scene.store()];
    const lock = await a.lock('k', { ttl: 3000 });
    let toldAt: number | undefined;
    lock.signal.addEventListener('abort', () => (toldAt = performance.now()));
    const rival = b.lock('k', { ttl: 3000 });
    proxy.blackhole();
    const next = await rival;
    const heldAt = performance.now();
    expect(toldAt ?? Number.POSITIVE_INFINITY).toBeLessThan(heldAt);
    expect(lock.held).toBe(false);
    expect(next.fence).toBeGreaterThan(lock.fence);
    await proxy.heal();
  }, 30_000);
});
