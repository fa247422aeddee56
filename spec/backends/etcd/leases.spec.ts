/** Leases: the ttl that was granted, when a key goes, and what takes it off. */
import { expect, test } from 'vitest';
import { startEtcd } from '../../servers/etcd.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { Scene } from './scene.js';

describeProgram('etcd', 'leases of etcd', found => {
  test('pitfall 17: a ttl under 2 s is 2 s, the key goes within ttlLag after, and a put without ttl takes it off', async () => {
    await using scene = new Scene(await startEtcd(found));
    const store = scene.store();
    const { minTtl, ttlLag } = store.capabilities;
    expect(minTtl).toBe(2000);
    await store.put('detached', 'x', { ttl: 1000 });
    const before = performance.now();
    await store.put('k', 'x', { ttl: 1000 });
    const written = performance.now();
    expect((await store.put('detached', 'y')).leased).toBe(false);
    await until('the key to go', async () => !(await store.exists('k')));
    const gone = performance.now();
    expect(gone - before).toBeGreaterThanOrEqual(minTtl);
    expect(gone - written).toBeLessThanOrEqual(minTtl + ttlLag);
    expect(await store.exists('detached')).toBe(true);
    // The lease that it had lapses too, and takes nothing with it.
    await until('no lease', async () => (await scene.operator.leases()) === 0);
    expect(await store.exists('detached')).toBe(true);
  }, 20_000);

  test('a server whose election timeout is long grants more than was asked, and the holder counts by what it granted', async () => {
    await using scene = new Scene(await startEtcd(found, { args: ['--heartbeat-interval', '400', '--election-timeout', '4000'] }));
    const driver = scene.driver();
    const ttl = await new Promise<number>((resolve, reject) => {
      const session = driver.session$(2000).subscribe({
        next: live => {
          expect(live.remaining()).toBeGreaterThan(4000);
          resolve(live.ttl);
          queueMicrotask(() => session.unsubscribe());
        },
        error: reject,
      });
    });
    expect(ttl).toBe(6000);
  }, 20_000);

  test('the lease of a put that was refused, and of a session that has ended, is given back', async () => {
    await using scene = new Scene(await startEtcd(found));
    const store = scene.store();
    await store.put('k', 'x');
    await expect(store.atomicPut('k', 'y', undefined, { ttl: 60_000 })).rejects.toMatchObject({ code: 'conflict' });
    const kept = store.keepAlive$('alive', 'x', { ttl: 60_000 }).subscribe();
    await until('the key', async () => store.exists('alive'));
    kept.unsubscribe();
    await until('no lease', async () => (await scene.operator.leases()) === 0, { within: 2000 });
    expect(await store.exists('alive')).toBe(false);
  }, 20_000);
});
