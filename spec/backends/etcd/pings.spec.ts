/** Pings: a server ends the connection of who asks for signs of life too often. */
import { expect, test } from 'vitest';
import { startEtcd } from '../../servers/etcd.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { Scene } from './scene.js';

describeProgram('etcd', 'pings of etcd', found => {
  test('pitfall 8: 30 s with an idle watch, an idle lock and the shortest silence: not one reconnect, not one error', async () => {
    await using scene = new Scene(await startEtcd(found));
    const proxy = scene.proxy();
    const store = scene.store({ hosts: proxy.host }, { silence: 2000 });
    let failure: unknown;
    store.watchTree$('').subscribe({ error: (error: unknown) => (failure = error) });
    const lock = await store.lock('idle');
    const began = performance.now();
    await until('30 s to pass', () => failure !== undefined || performance.now() - began > 30_000, { within: 35_000, every: 200 });
    expect([failure, lock.held, proxy.counts.total]).toEqual([undefined, true, 1]);
  }, 60_000);
});
