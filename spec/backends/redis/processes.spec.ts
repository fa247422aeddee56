/** Processes of their own: one that ends by itself, one that is stopped while it holds a lock, one without ioredis. */
import { expect, test } from 'vitest';
import { startRedis } from '../../servers/redis.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { closing, type Process, startProcess, withoutClient } from '../process.js';
import { Scene } from './scene.js';

function start(options: object): Process {
  return startProcess(new URL('process.mjs', import.meta.url), options);
}

describeProgram('redis', 'processes on Redis', found => {
  test('pitfall 29: after close() a process ends by itself, and leaves no connection and no record but those of its keys', async () => {
    await using scene = new Scene(await startRedis(found));
    expect(await closing(start({ hosts: scene.server.host }))).toBeLessThan(1000);
    const clients = async (): Promise<number> =>
      String(await scene.server.command(['CLIENT', 'LIST']))
        .trim()
        .split('\n').length;
    // That of the question itself.
    await until('no connections', async () => (await clients()) === 1);
    const names = (await scene.server.command(['KEYS', '*'])) as string[];
    expect(names.sort()).toEqual(
      ['app/k', 'app/leased', 'app/~rxkv/held/queue', 'app/~rxkv/rev:{app/k}', 'app/~rxkv/rev:{app/leased}'].sort(),
    );
    expect(await scene.server.command(['ZRANGE', 'app/~rxkv/held/queue', '0', '-1'])).toEqual(['']);
  }, 30_000);

  test('one whose server hangs: close() settles in time, and what it held lapses', async () => {
    await using scene = new Scene(await startRedis(found));
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
    await until('what it held to lapse', async () => ((await scene.server.command(['KEYS', 'app/~rxkv/*/*-*'])) as string[]).length === 0, {
      within: 8000,
    });
  }, 40_000);

  test('guarantee 12: one whose server was killed ends by itself as well, though no connection could be made', async () => {
    await using scene = new Scene(await startRedis(found));
    const running = start({ hosts: scene.server.host, ttl: 600, timeout: 1000 });
    await until('it to be live', () => running.printed().includes('live'));
    await scene.server.kill();
    await until('it to be told', () => running.printed().includes('lost'));
    expect(await closing(running)).toBeLessThan(1000);
  }, 30_000);

  test('a holder that is stopped beyond its ttl: another acquires in time with a higher fence, and once it goes on its writes are refused', async () => {
    await using scene = new Scene(await startRedis(found));
    const holder = start({ hosts: scene.server.host, ttl: 600 });
    await until('it to be live', () => holder.printed().includes('live'));
    const store = scene.store({ root: 'app' });
    holder.child.kill('SIGSTOP');
    const began = performance.now();
    const lock = await store.lock('held', { wait: 5000 });
    expect(performance.now() - began).toBeLessThan(600 + 400);
    await store.put('late', 'of the new holder', { lock });
    holder.child.kill('SIGCONT');
    await until('it to be told', () => holder.printed().includes('lost'));
    expect(holder.printed()).toContain('lost false conflict');
    expect(lock.held).toBe(true);
    await lock.release();
  }, 30_000);

  test('without the package ioredis the first call says what to install, and nothing before it fails', async () => {
    expect(await withoutClient('redis', 'ioredis')).toBe(
      'made redis\nunsupported: rxkv/redis needs the package ioredis: npm install ioredis\n',
    );
  });
});
