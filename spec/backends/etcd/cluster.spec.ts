/** A cluster of three: members that die, stop, or lose their leader, and clients that find the others. */
import { expect, test } from 'vitest';
import { KvError, text } from '../../../src/index.js';
import { startEtcdCluster } from '../../servers/etcd.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { Scene } from './scene.js';

describeProgram('etcd', 'a cluster of etcd', found => {
  test('pitfall 20: with a dead member, and after the leader was killed, puts succeed and watches go on', async () => {
    const cluster = await startEtcdCluster(found);
    await using scene = new Scene(cluster.members);
    // A member that still believes in the dead leader sends it what it is asked to write: that try is lost.
    const store = scene.store({}, { timeout: 2000 });
    let seen: string | undefined;
    let failure: unknown;
    store.watch$('k').subscribe({ next: entry => (seen = text(entry)), error: (error: unknown) => (failure = error) });
    await store.put('k', 'before');
    const leader = await cluster.elected();
    await leader.kill();
    const began = performance.now();
    await until('a put', async () => store.put('k', 'after').then(() => true), { within: 8000 });
    expect(performance.now() - began).toBeLessThan(5000);
    for (let i = 0; i < 60; i++) await store.put('k', String(i));
    await until('the watch to have gone on', () => seen === '59');
    expect(failure).toBeUndefined();
  }, 60_000);

  test('pitfall 11: a put without a quorum says outcome unknown, and may be there once it is healed', async () => {
    const cluster = await startEtcdCluster(found);
    await using scene = new Scene(cluster.members);
    const [one, ...others] = cluster.members;
    const store = scene.store({ hosts: one?.host ?? '' }, { timeout: 1000 });
    const before = await store.put('k', 'before');
    for (const other of others) other.pause();
    let error: unknown;
    try {
      error = await store.atomicPut('k', 'after', before).catch((reason: unknown) => reason);
    } finally {
      for (const other of others) other.resume();
    }
    expect(KvError.is(error) && [error.transient, error.outcome]).toEqual([true, 'unknown']);
    const healed = await until('an answer', async () => store.get('k'));
    // Applied once, or never: a compare-and-set that was sent again would have met its own write.
    const whether = text(healed) === 'after' ? [before.revision + 1n, 'after'] : [before.revision, 'before'];
    expect([healed.revision, text(healed)]).toEqual(whether);
    await store.put('k', 'later');
    expect(text(await store.get('k'))).toBe('later');
  }, 60_000);

  test('pitfall 18: two of three stopped: the watch of the third is told within 5 s, and goes on afterwards', async () => {
    const cluster = await startEtcdCluster(found);
    await using scene = new Scene(cluster.members);
    const [one, ...others] = cluster.members;
    const store = scene.store({ hosts: one?.host ?? '' }, { silence: 2000, timeout: 1000 });
    let failedAt: number | undefined;
    let failure: unknown;
    let seen: string | undefined;
    store.watch$('k').subscribe({
      error: (error: unknown) => {
        [failedAt, failure] = [performance.now(), error];
      },
    });
    await store.put('k', '0');
    const began = performance.now();
    for (const other of others) other.pause();
    try {
      await until('the error', () => failedAt, { within: 10_000 });
    } finally {
      for (const other of others) other.resume();
    }
    expect((failedAt ?? 0) - began).toBeLessThan(5000);
    expect(failure).toMatchObject({ code: 'unavailable', transient: true });
    await until('a put', async () => store.put('k', '1').then(() => true));
    store.watch$('k').subscribe(entry => (seen = text(entry)));
    await until('the state', () => seen === '1');
  }, 60_000);

  test('a quorum that is lost for less than silence and heals is no error: the watch misses nothing', async () => {
    const cluster = await startEtcdCluster(found);
    await using scene = new Scene(cluster.members);
    const [one, ...others] = cluster.members;
    const store = scene.store({ hosts: one?.host ?? '' }, { silence: 20_000, timeout: 2000 });
    let failure: unknown;
    let size = -1;
    store.watchTree$('d').subscribe({ next: tree => (size = tree.size), error: (error: unknown) => (failure = error) });
    await store.put('d/0', 'x');
    for (const other of others) other.pause();
    try {
      // Longer than a member believes in its leader, so that the stream has ended.
      await until('the member to have noticed', async () => !(await one?.call('maintenance/status', {}))?.body.includes('"leader"'));
      await expect(store.get('d/0')).rejects.toMatchObject({ transient: true });
    } finally {
      for (const other of others) other.resume();
    }
    await until('a put', async () => store.put('d/1', 'x').then(() => true));
    await until('both', () => size === 2);
    expect(failure).toBeUndefined();
  }, 60_000);

  test('with members: true the other members are used once the only host is gone; without it they are not', async () => {
    const cluster = await startEtcdCluster(found);
    await using scene = new Scene(cluster.members);
    const [one] = cluster.members;
    const hosts = one?.host ?? '';
    const [knowing, ignorant] = [scene.store({ hosts, members: true }), scene.store({ hosts })];
    let seen: string | undefined;
    knowing.watch$('k').subscribe(entry => (seen = text(entry)));
    for (const store of [knowing, ignorant]) await store.put('k', '0');
    await until('the first value', () => seen === '0');
    await one?.kill();
    await until('a put to another member', async () => knowing.put('k', '1').then(() => true), { within: 8000 });
    await until('the watch on another member', () => seen === '1');
    expect((await knowing.health()).endpoint).not.toBe(hosts);
    await expect(ignorant.get('k', { timeout: 300 })).rejects.toMatchObject({ transient: true });
  }, 60_000);
});
