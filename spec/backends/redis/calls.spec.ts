/** Calls: what is sent once only, what is asked again, what settles whatever happens, and what other clients read. */
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { KvError } from '../../../src/index.js';
import { text } from '../../../src/text.js';
import { redisUsers, startRedis } from '../../servers/redis.js';
import { run } from '../../servers/run.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { pairsOf, refused, Scene } from './scene.js';

describeProgram('redis', 'calls of Redis', found => {
  test('pitfall 10: a compare-and-set whose answer is lost is applied once, and says unknown, never a conflict', async () => {
    await using scene = new Scene(await startRedis(found));
    const proxy = scene.proxy();
    const [store, other] = [scene.store({ hosts: proxy.host }), scene.store()];
    // The server is to know the script: one more that it asks for would be lost as well.
    const entry = await store.atomicPut('k', '1', undefined);
    proxy.blackhole('down');
    const writing = refused(store.atomicPut('k', '2', entry));
    await until('the write to be applied', async () => text(await other.get('k')) === '2');
    const applied = await other.get('k');
    proxy.cut();
    const error = await writing;
    expect([error.transient, error.outcome]).toEqual([true, 'unknown']);
    await proxy.heal();
    await until('the connection', async () => store.exists('k'));
    expect(await other.get('k')).toEqual(applied);
  });

  test('pitfalls 10 and 13: of 64 concurrent puts on a connection that is cut at random none is carried out twice, and each settles', async () => {
    await using scene = new Scene(await startRedis(found));
    const proxy = scene.proxy();
    const [store, other] = [scene.store({ hosts: proxy.host }, { timeout: 1000 }), scene.store()];
    let [unknown, lost] = [0, 0];
    for (let round = 0; round < 20; round++) {
      const cut = proxy.cutAfter(500 + round * 150, round % 2 === 0 ? 'up' : 'down');
      const puts = Array.from({ length: 64 }, async (_, i) => store.atomicPut(`r${round}/k${i}`, 'x', undefined));
      const outcomes = await Promise.allSettled(puts);
      // One that was not reached is taken back.
      await proxy.heal();
      await cut;
      const there = await other.list(`r${round}`);
      outcomes.forEach((outcome, i) => {
        const entry = there.get(`r${round}/k${i}`);
        if (outcome.status === 'fulfilled') expect(entry).toEqual(outcome.value);
        else {
          // A second carrying out would be a conflict.
          expect(KvError.is(outcome.reason) && outcome.reason.transient).toBe(true);
          if ((outcome.reason as KvError).outcome === 'unknown') unknown++;
          else if (entry !== undefined) lost++;
        }
      });
    }
    expect(unknown).toBeGreaterThan(0);
    expect(lost).toBe(0);
  });

  test('pitfalls 11 and 12: calls to a server that is stopped settle in time, and are answered once it goes on', async () => {
    await using scene = new Scene(await startRedis(found));
    const { server } = scene;
    const store = scene.store({}, { timeout: 600 });
    const seen = scene.watch(scene.store({}, { timeout: 600, silence: 1000 }));
    await store.put('k', '1');
    server.pause();
    const began = performance.now();
    const calls = [store.get('k'), store.put('k', '2'), store.list(''), store.delete('k'), store.health()].map(async call =>
      call.then(
        () => 'answered',
        (error: unknown) => (KvError.is(error) ? error.code : 'other'),
      ),
    );
    const outcomes = await Promise.all(calls);
    expect(performance.now() - began).toBeLessThan(1600);
    expect(outcomes.slice(0, 4).every(code => code === 'timeout' || code === 'unavailable')).toBe(true);
    await until('the watch to say so', () => seen.error !== undefined);
    expect([seen.error?.transient, performance.now() - began < 2500]).toEqual([true, true]);
    server.resume();
    await until('an answer', async () => store.put('k', '3').then(() => true));
    expect(text(await store.get('k'))).toBe('3');
  });

  test('a proxy that takes connections and never answers is a timeout in time, and close() settles', async () => {
    await using scene = new Scene(await startRedis(found));
    const proxy = scene.proxy();
    proxy.blackhole();
    const store = scene.store({ hosts: proxy.host, database: 1 }, { timeout: 500, silence: 800 });
    const seen = scene.watch(store);
    const began = performance.now();
    const errors = await Promise.all([refused(store.get('k')), refused(store.put('k', 'x')), refused(store.list(''))]);
    expect(performance.now() - began).toBeLessThan(1200);
    for (const { transient } of errors) expect(transient).toBe(true);
    await until('the watch to say so', () => seen.error !== undefined);
    const closing = performance.now();
    await store.close();
    expect(performance.now() - closing).toBeLessThan(1000);
  });

  test('close() while it connects anew settles, and what was asked is told so', async () => {
    await using scene = new Scene(await startRedis(found));
    const store = scene.store({}, { timeout: 1000 });
    await store.put('k', '1');
    await scene.server.stop();
    const asked = [refused(store.get('k')), refused(store.put('k', '2'))];
    await pause(60);
    const began = performance.now();
    await store.close();
    expect(performance.now() - began).toBeLessThan(1200);
    for (const { code } of await Promise.all(asked)) expect(['closed', 'unavailable', 'timeout']).toContain(code);
    await scene.server.start();
  });

  test('guarantee 10: on a server that knows no script each kind of call takes one round trip from the first on', async () => {
    await using scene = new Scene(await startRedis(found));
    const proxy = scene.proxy();
    const store = scene.store({ hosts: proxy.host });
    await store.ready();
    const calls = {
      put: () => store.put('k', '1'),
      get: () => store.get('k'),
      exists: () => store.exists('k'),
      list: () => store.list(''),
      atomicPut: () => store.atomicPut('new', '1', undefined),
      'put with a ttl': () => store.put('k', '2', { ttl: 60_000 }),
      delete: () => store.delete('k'),
      deleteTree: () => store.deleteTree(''),
    };
    for (const [name, call] of Object.entries(calls)) {
      const before = proxy.counts.roundTrips;
      await call();
      expect([name, proxy.counts.roundTrips - before]).toEqual([name, 1]);
    }
  });

  test('pitfall 14: scripts that the server has forgotten are sent again', async () => {
    await using scene = new Scene(await startRedis(found));
    const store = scene.store();
    for (let i = 0; i < 5; i++) {
      await scene.server.command(['SCRIPT', 'FLUSH']);
      await Promise.all([store.put(`a${i}`, 'x'), store.put(`b${i}`, 'x'), store.get('a0'), store.list('')]);
      await scene.server.command(['SCRIPT', 'FLUSH']);
      await (await store.lock('job')).release();
    }
    expect((await store.list('')).size).toBe(10);
  });

  test('pitfall 15: revisions are whole numbers of µs that grow for each key, also where the clock stands still', async () => {
    await using scene = new Scene(await startRedis(found));
    const store = scene.store();
    const entries = await Promise.all(Array.from({ length: 100 }, async () => store.put('k', 'x')));
    for (let i = 1; i < entries.length; i++) expect(entries[i]?.revision).toBeGreaterThan(entries[i - 1]?.revision ?? 0n);
    expect(Number(entries[0]?.revision) / 1000).toBeGreaterThan(Date.now() - 60_000);
    const ahead = '9000000000000000';
    await scene.server.command(['SET', '~rxkv/rev:{k}', `${ahead} ${ahead}`]);
    expect((await store.put('k', 'x')).revision).toBe(BigInt(ahead) + 1n);
    await scene.server.command(['SET', '~rxkv/rev:{k}', 'spoilt by somebody']);
    expect(await store.get('k')).toMatchObject({ revision: 0n, created: 0n });
    const entry = await store.atomicPut('k', 'y', await store.get('k'));
    expect(await store.get('k')).toEqual(entry);
  });

  test('pitfall 18: a tree of 10,000 keys goes in one step', async () => {
    await using scene = new Scene(await startRedis(found));
    await scene.server.command(['EVAL', "for i = 1, 10000 do redis.call('SET', 'tree/' .. i, 'x') end", '0']);
    const store = scene.store();
    const seen = scene.watch(store, 'tree');
    await until('the tree', () => seen.last?.size === 10_000);
    const before = seen.trees.length;
    await store.deleteTree('tree');
    await until('the empty tree', () => seen.last?.size === 0);
    expect(seen.trees.length).toBe(before + 1);
  });

  test('pitfall 26: a wrong password is denied at once, ends a watch, and is not tried again by itself', async () => {
    await using scene = new Scene(await startRedis(found, { auth: true }));
    const store = scene.store({ auth: { ...redisUsers.limited, password: 'wrong-secret' } });
    const began = performance.now();
    const error = await refused(store.get('k'));
    expect([error.code, performance.now() - began < 1000]).toEqual(['denied', true]);
    const seen = scene.watch(store);
    await until('the denial', () => seen.error !== undefined);
    expect(seen.error?.code).toBe('denied');
    const denials = async (): Promise<number> => ((await scene.server.command(['ACL', 'LOG'])) as unknown[]).length;
    const before = await denials();
    const connections = async (): Promise<number> =>
      Number(/total_connections_received:(\d+)/.exec(String(await scene.server.command(['INFO', 'stats'])))?.[1]);
    const count = await connections();
    await pause(500);
    // Two probes.
    expect([await denials(), (await connections()) - count]).toEqual([before, 2]);
    expect((await refused(scene.store({ auth: { token: 'no-such-token' } }).get('k'))).code).toBe('denied');
    expect((await refused(scene.store().get('k'))).code).toBe('denied');
  });

  test('a token is the password of the default user, and one that is provided is asked for once more after a refusal', async () => {
    await using scene = new Scene(await startRedis(found));
    await scene.server.command(['CONFIG', 'SET', 'requirepass', 'second']);
    const given: string[] = [];
    const token = (): string => {
      given.push(given.length === 0 ? 'first' : 'second');
      return given.at(-1) as string;
    };
    const store = scene.store({ auth: { token } });
    await store.put('k', '1');
    expect(given).toEqual(['first', 'second']);
    expect(text(await scene.store({ auth: { token: 'second' } }).get('k'))).toBe('1');
    const stubborn: string[] = [];
    const error = await refused(scene.store({ auth: { token: () => (stubborn.push('first'), 'first') } }).get('k'));
    expect([error.code, stubborn.length]).toEqual(['denied', 2]);
  });

  test('no error holds what was sent: a value, a password, a whole command', async () => {
    await using scene = new Scene(await startRedis(found, { auth: true }));
    await scene.server.command(['ACL', 'SETUSER', 'few', 'on', '>few-password', '~few/*', '+@all', '-evalsha', '-eval']);
    const store = scene.store({ root: 'few', auth: { username: 'few', password: 'few-password' } });
    const limited = scene.store({ root: 'elsewhere', auth: redisUsers.limited });
    for (const [someone, call] of [
      [store, 'put'],
      [limited, 'put'],
    ] as const) {
      const error = await refused(someone[call]('k', 'the-secret-value'));
      const told = `${error.stack} ${JSON.stringify(error)} ${String((error.cause as Error)?.stack)} ${JSON.stringify(error.cause)}`;
      expect(error.code).toBe('denied');
      expect(told).not.toMatch(/secret-value|few-password|limited-password/);
    }
  });

  test('what one of a batch is refused for is no matter of the others', async () => {
    await using scene = new Scene(await startRedis(found, { auth: true }));
    await scene.server.command(['ACL', 'SETUSER', 'some', 'on', '>secret', '~app/a*', '~app/~rxkv/*', '+@all']);
    const store = scene.store({ root: 'app', auth: { username: 'some', password: 'secret' } });
    const keyOf = (i: number): string => (i === 50 ? 'b' : `a${i}`);
    const writes = await Promise.allSettled(Array.from({ length: 100 }, async (_, i) => store.put(keyOf(i), String(i))));
    writes.forEach(({ status }, i) => expect(status, `write ${i}`).toBe(i === 50 ? 'rejected' : 'fulfilled'));
    const reads = await Promise.allSettled(Array.from({ length: 100 }, async (_, i) => store.get(keyOf(i))));
    reads.forEach(({ status }, i) => expect(status, `read ${i}`).toBe(i === 50 ? 'rejected' : 'fulfilled'));
    await scene.server.command(['RPUSH', 'app/alist', 'x']);
    const mixed = await Promise.allSettled(['aa', 'alist', 'ab'].map(async key => store.put(key, 'x')));
    expect(mixed.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  test('pitfall 30 and interoperation: bytes of any kind, in both directions, with redis-cli', async () => {
    await using scene = new Scene(await startRedis(found));
    const store = scene.store({ root: 'app' });
    const cli = async (...args: string[]): Promise<string> => {
      const env = { ...process.env, ...found.env };
      return (await run(found.tools['redis-cli'] ?? '', ['-p', String(scene.server.port), ...args], { env })).stdout;
    };
    await store.put('text', 'grün');
    expect(await cli('--raw', 'GET', 'app/text')).toBe('grün\n');
    await cli('SET', 'app/theirs', 'plain');
    expect(pairsOf(await store.list(''))).toEqual({ text: 'grün', theirs: 'plain' });
    const theirs = await store.get('theirs');
    expect([theirs?.revision, theirs?.leased]).toEqual([0n, false]);
    expect(text(await store.atomicPut('theirs', 'ours', theirs))).toBe('ours');
    await cli('SET', 'app/brief', 'x', 'EX', '100');
    expect((await store.get('brief'))?.leased).toBe(true);
    await store.put('brief', 'y', { ttl: 'keep' });
    expect(Number(await cli('TTL', 'app/brief'))).toBeGreaterThan(90);
    for (const value of [Uint8Array.of(0, 255, 254, 0, 128), new Uint8Array(0), new Uint8Array(2 ** 20).fill(7)]) {
      await store.put('bytes', value);
      for (const entry of [await store.get('bytes'), (await store.list('')).get('bytes')])
        expect(Buffer.from(value).equals(entry?.value ?? Buffer.from('missing'))).toBe(true);
    }
    expect(await cli('STRLEN', 'app/bytes')).toBe(`${2 ** 20}\n`);
    await cli('DEL', 'app/bytes');
    expect(await store.get('bytes')).toBeUndefined();
  });

  describe('with an index', () => {
    test('pitfall 17: what has expired or was deleted by others is not listed, and leaves the index', async () => {
      await using scene = new Scene(await startRedis(found));
      const { server } = scene;
      const store = scene.store({ root: 'app', index: true });
      for (const key of ['stays', 'deleted', 'dir/stays']) await store.put(key, 'x');
      await store.put('expires', 'x', { ttl: 30 });
      await server.command(['DEL', 'app/deleted']);
      await until('the end', async () => !(await store.exists('expires')));
      expect([...(await store.list('')).keys()]).toEqual(['dir/stays', 'stays']);
      await until('the index', async () => (await server.command(['ZCARD', 'app/~rxkv/index:{}'])) === 2);
      const seen = scene.watch(store);
      await until('the tree', () => seen.last?.size === 2);
      await server.command(['SET', 'app/theirs', 'x']);
      await until('their key', () => seen.last?.has('theirs') === true);
      expect([...(await store.list('')).keys()]).toEqual(['dir/stays', 'stays', 'theirs']);
      await store.deleteTree('dir');
      await store.delete('stays');
      expect([...(await store.list('')).keys()]).toEqual(['theirs']);
    });
  });
});
