import { describe, expect, test } from 'vitest';
import { dial } from './dial.js';
import { lifecycle } from './lifecycle.js';
import { type Redis, redisUsers, startRedis } from './redis.js';
import { startRedisCluster } from './redis-cluster.js';
import { startRedisSentinel } from './redis-sentinel.js';
import { redisCommand } from './redis-wire.js';
import { run } from './run.js';
import { describeProgram } from './suite.js';
import { until } from './until.js';

async function write(redis: Redis, key: string, value: string): Promise<void> {
  await redis.command(['set', key, value]);
}

async function read(redis: Redis, key: string): Promise<string | undefined> {
  const reply = await redis.command(['get', key]);
  return typeof reply === 'string' ? reply : undefined;
}

describeProgram('redis', 'Redis', program => {
  describe('one server', () => {
    lifecycle({ start: () => startRedis(program), write, read });
  });

  test('our small client understands nested replies and any text', async () => {
    await using redis = await startRedis(program);
    await write(redis, 'k', 'ü€\r\n$-1');
    expect(await read(redis, 'k')).toBe('ü€\r\n$-1');
    const script = 'return {1, {"a", {}}, false}';
    expect(await redis.command(['eval', script, '0'])).toEqual([1, ['a', []], null]);
    await expect(redis.command(['nonsense'])).rejects.toThrow('unknown command');
  });

  test('with TLS and users refuses who has no certificate, no password or no permission', async () => {
    await using redis = await startRedis(program, { tls: true, auth: true });
    const { certificates, host } = redis;
    if (certificates === undefined) throw new Error('no certificates');
    await expect(redisCommand({ host }, ['ping'])).rejects.toThrow();
    await expect(dial({ host, certificates: { ca: certificates.client.cert } })).rejects.toThrow();
    await expect(redisCommand({ host, certificates: { ca: certificates.ca } }, ['ping'])).rejects.toThrow();

    await expect(redisCommand({ host, certificates }, ['get', 'limited/a'])).rejects.toThrow('NOAUTH');
    await expect(redis.command(['ping'], { ...redisUsers.limited, password: 'wrong' })).rejects.toThrow('WRONGPASS');
    await redis.command(['set', 'limited/a', 'value'], redisUsers.limited);
    await expect(redis.command(['set', 'other', 'value'], redisUsers.limited)).rejects.toThrow('NOPERM');
    await expect(redis.command(['flushall'], redisUsers.limited)).rejects.toThrow('NOPERM');
    await write(redis, 'other', 'value');
  });

  test('sentinels make the replica master when the master is killed', async () => {
    await using sentinel = await startRedisSentinel(program);
    const first = await sentinel.master();
    await write(first, 'k', 'value');
    await until('the replica to have it', async () =>
      (await Promise.all(sentinel.servers.map(server => read(server, 'k')))).every(value => value === 'value'),
    );
    await first.kill();
    const second = await sentinel.master(first);
    expect(await read(second, 'k')).toBe('value');
    await write(second, 'k', 'newer');
  });

  test('the replica of a cluster takes the slots of its master when that is killed', async () => {
    await using cluster = await startRedisCluster(program);
    const owners = await Promise.all(Array.from({ length: 30 }, (_, i) => cluster.ownerOf(`k${i}`)));
    expect(new Set(owners)).toEqual(new Set(cluster.masters));
    const key = `k${owners.indexOf(cluster.masters[0] as Redis)}`;
    await write(cluster.masters[0] as Redis, key, 'value');
    await cluster.masters[0]?.kill();
    expect(await until('another owner', async () => (await cluster.ownerOf(key)) === cluster.replica)).toBe(true);
    expect(await until('it to serve', () => read(cluster.replica, key))).toBe('value');
  });

  test('redis-cli comes with it', async () => {
    await using redis = await startRedis(program);
    const env = { ...process.env, ...program.env };
    const got = await run(program.tools['redis-cli'] ?? '', ['-p', String(redis.port), 'ping'], { env });
    expect(got.stdout).toBe('PONG\n');
  });
});
