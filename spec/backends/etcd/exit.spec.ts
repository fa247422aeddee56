/** The end of a process: by itself once its store is closed, whatever was under way, and whether or not the servers answer. */
import { expect, test } from 'vitest';
import { etcdUsers, startEtcd } from '../../servers/etcd.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { closing, type Process, startProcess } from '../process.js';
import { Scene } from './scene.js';

function start(options: object): Process {
  return startProcess(new URL('process.mjs', import.meta.url), options);
}

describeProgram('etcd', 'the end of a process', found => {
  test('pitfall 14: after close() it ends by itself, and leaves neither watches nor leases but those of its keys', async () => {
    await using scene = new Scene(await startEtcd(found));
    expect(await closing(start({ hosts: scene.server.host }))).toBeLessThan(1000);
    await until('no watches', async () => (await scene.operator.watches()) === 0 && (await scene.operator.streams()) === 0);
    expect([await scene.operator.leases(), await scene.operator.keys('')]).toEqual([1, ['k', 'leased']]);
  }, 30_000);

  test('and so does one that had logged in', async () => {
    await using scene = new Scene(await startEtcd(found, { auth: true }), etcdUsers.root);
    expect(await closing(start({ hosts: scene.server.host, auth: etcdUsers.root }))).toBeLessThan(1000);
  }, 30_000);

  test('and one whose server hangs: close() settles in time, and what it held lapses', async () => {
    await using scene = new Scene(await startEtcd(found));
    const running = start({ hosts: scene.server.host, timeout: 1000 });
    await until('it to be live', () => running.printed().includes('live'));
    scene.server.pause();
    try {
      const began = performance.now();
      await closing(running);
      expect(performance.now() - began).toBeLessThan(4000);
    } finally {
      scene.server.resume();
    }
    await until('what it held to lapse', async () => (await scene.operator.keys('~rxkv/')).length === 0, { within: 8000 });
  }, 40_000);
});
