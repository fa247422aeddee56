/** The queue of a lock: each waiter looks at the one before it alone, so that a long queue is no herd. */
import { expect, test } from 'vitest';
import { KvError, type Lock, type Store, type StoreOptions } from '../../../src/index.js';
import { startEtcd } from '../../servers/etcd.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { Scene } from './scene.js';

const queue = 'app/~rxkv/job/';

describeProgram('etcd', 'the queue of a lock', found => {
  /** Contenders in the order of asking. */
  async function line(scene: Scene, length: number, options?: StoreOptions): Promise<Contender[]> {
    const contenders: Contender[] = [];
    for (let i = 1; i <= length; i++) {
      contenders.push(contend(scene.store({ root: 'app' }, options)));
      await until('a place in the queue', async () => (await scene.operator.count(queue)) === i, { every: 5 });
    }
    await until('the first to hold', () => contenders[0]?.lock);
    return contenders;
  }

  test('a hand-over among 100 stores costs as few messages as among 10', async () => {
    await using scene = new Scene(await startEtcd(found));
    const { operator } = scene;
    const perHandOver = async (length: number): Promise<number> => {
      // Such a silence that no sign of life is asked for, and counted.
      const contenders = await line(scene, length, { silence: 600_000 });
      const before = await operator.messages();
      for (const [i, { leave }] of contenders.entries()) {
        leave();
        const next = contenders[i + 1];
        if (next !== undefined) await until('the next to hold', () => next.lock, { every: 2 });
      }
      const fences = contenders.map(({ lock }) => lock?.fence ?? 0n);
      expect(fences.every((fence, i) => i === 0 || fence > (fences[i - 1] ?? 0n))).toBe(true);
      return ((await operator.messages()) - before) / length;
    };
    const [few, many] = [await perHandOver(10), await perHandOver(100)];
    // The release, the end of the session, the news, and the look: with a watch of the whole queue it would be 50 and more.
    expect([few, many].map(messages => messages < 8)).toEqual([true, true]);
  }, 120_000);

  test('a waiter watches its own record and the one before it, the holder its own, and nothing is left of them', async () => {
    await using scene = new Scene(await startEtcd(found));
    const { operator } = scene;
    const contenders = await line(scene, 4);
    await until('seven watches', async () => (await operator.watches()) === 7);
    for (const { leave } of [...contenders].reverse()) leave();
    await until('none', async () => (await operator.watches()) === 0 && (await operator.count(queue)) === 0);
  }, 30_000);

  test('who leaves the middle of the queue lets nobody hold before its turn', async () => {
    await using scene = new Scene(await startEtcd(found));
    const [first, second, third] = await line(scene, 3);
    second?.leave();
    await until('two in the queue', async () => (await scene.operator.count(queue)) === 2);
    // Its turn has been looked at anew by the time that another look is answered.
    await expect(scene.store({ root: 'app' }).lock('job', { wait: 200 })).rejects.toMatchObject({ code: 'conflict' });
    expect([first?.lock?.held, third?.lock]).toEqual([true, undefined]);
    first?.leave();
    await until('the third to hold', () => third?.lock);
    expect(second?.lock).toBeUndefined();
  }, 30_000);

  test('a waiter whose record is deleted by hand is told at once, and so is a holder', async () => {
    await using scene = new Scene(await startEtcd(found));
    const { operator } = scene;
    const [first, second] = await line(scene, 2);
    for (const { contender, code } of [
      { contender: second, code: 'session-lost' },
      { contender: first, code: 'lock-lost' },
    ]) {
      const [last] = (await operator.keys(queue)).slice(-1);
      await operator.delete(last ?? '');
      await until(code, () => contender?.error, { within: 1000 });
      expect(contender?.error).toMatchObject({ code });
    }
  }, 30_000);

  test('pitfall 13: who gives up while queued has left the queue and its watches, and the holder still holds', async () => {
    await using scene = new Scene(await startEtcd(found));
    const { operator } = scene;
    const [first] = await line(scene, 1);
    const controller = new AbortController();
    const waiting = scene.store({ root: 'app' }).lock('job', { signal: controller.signal });
    await until('it to queue', async () => (await operator.count(queue)) === 2 && (await operator.watches()) === 3);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
    await until('it to be gone', async () => (await operator.count(queue)) === 1 && (await operator.watches()) === 1, { within: 1000 });
    await until('its lease to be gone', async () => (await operator.leases()) === 1, { within: 1000 });
    expect(first?.lock?.held).toBe(true);
  }, 30_000);

  test('a waiter that was cut off while history was compacted still gets its turn', async () => {
    await using scene = new Scene(await startEtcd(found));
    const [{ operator }, proxy] = [scene, scene.proxy()];
    const [first] = await line(scene, 1);
    const waiter = contend(scene.store({ hosts: proxy.host, root: 'app' }));
    await until('it to queue', async () => (await operator.count(queue)) === 2 && (await operator.watches()) === 3);
    await proxy.refuse();
    proxy.cut();
    first?.leave();
    await until('the release', async () => (await operator.count(queue)) === 1);
    await operator.compact();
    await proxy.heal();
    const { fence } = await until('its turn', () => waiter.lock);
    expect(fence).toBeGreaterThan(first?.lock?.fence ?? fence);
    expect(waiter.error).toBeUndefined();
  }, 30_000);
});

interface Contender {
  lock?: Lock;
  error?: KvError;
  readonly leave: () => void;
}

function contend(store: Store): Contender {
  const contender: Contender = { leave: () => subscription.unsubscribe() };
  const subscription = store.lock$('job', { ttl: 60_000 }).subscribe({
    next: lock => (contender.lock = lock),
    error: (error: unknown) => {
      if (KvError.is(error)) contender.error = error;
    },
  });
  return contender;
}
