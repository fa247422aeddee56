/** Feeds: what Redis tells late, in another form, or not at all, and who else writes. */
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { retryTransient } from '../../../src/index.js';
import { text } from '../../../src/text.js';
import { randomFrom } from '../../faults/random.js';
import { redisUsers, startRedis } from '../../servers/redis.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { pairsOf, refused, Scene } from './scene.js';

describeProgram('redis', 'feeds of Redis', found => {
  test('pitfalls 1, 9 and 23: what other clients do to keys is seen, by SET, APPEND, RENAME, COPY, DEL, EXPIRE and a script', async () => {
    await using scene = new Scene(await startRedis(found));
    const { server } = scene;
    const store = scene.store({ root: 'app' });
    const seen = scene.watch(store);
    const entry = await store.put('a,b', '1');
    await until('our own', () => seen.pairs['a,b'] === '1');
    const steps: readonly [string[], Record<string, string>][] = [
      [['SET', 'app/a,b', '2'], { 'a,b': '2' }],
      [['APPEND', 'app/a,b', '3'], { 'a,b': '23' }],
      [['RENAME', 'app/a,b', 'app/dir/c'], { 'dir/c': '23' }],
      [['COPY', 'app/dir/c', 'app/d'], { d: '23', 'dir/c': '23' }],
      [['EVAL', "redis.call('SET', 'app/e', 'x') redis.call('DEL', 'app/d')", '0'], { 'dir/c': '23', e: 'x' }],
      [['SET', 'elsewhere/app/e', 'y'], { 'dir/c': '23', e: 'x' }],
      [['PEXPIRE', 'app/e', '60'], { 'dir/c': '23' }],
      [['DEL', 'app/dir/c'], {}],
    ];
    for (const [command, wanted] of steps) {
      await server.command(command);
      await until(`${command.join(' ')} to be seen`, () => JSON.stringify(seen.pairs) === JSON.stringify(wanted), { every: 2 });
    }
    expect((await refused(store.atomicPut('a,b', 'x', entry))).code).toBe('conflict');
    expect(seen.error).toBeUndefined();
  });

  test('pitfall 23: a SET by another client is a conflict for who read before it, and by another database nobody is told', async () => {
    await using scene = new Scene(await startRedis(found));
    const store = scene.store({ root: 'app' });
    const entry = await store.put('k', '1');
    await scene.server.command(['SET', 'app/k', '2']);
    const error = await refused(store.atomicPut('k', '3', entry));
    expect([error.code, text(error.conflicts?.[0]?.current)]).toEqual(['conflict', '2']);
    await store.atomicPut('k', '3', await store.get('k'));
    const seen = scene.watch(store);
    await until('the state', () => seen.pairs.k === '3');
    await scene.server.command(['EVAL', "redis.call('SELECT', 3) return redis.call('SET', 'app/k', 'other')", '0']);
    await store.put('last', 'x');
    await until('a later write', () => seen.pairs.last === 'x');
    expect(seen.trees.map(tree => text(tree.get('k')))).not.toContain('other');
  });

  test('pitfall 2: a hub that is killed is armed anew, and what was written meanwhile is seen', async () => {
    await using scene = new Scene(await startRedis(found));
    const store = scene.store({ root: 'app' });
    const seen = scene.watch(store);
    await until('the empty state', () => seen.trees.length === 1);
    for (let round = 0; round < 10; round++) {
      const [hub = ''] = await until('the hub', async () => (await scene.hubs()).length === 1 && scene.hubs());
      await scene.server.command(['CLIENT', 'KILL', 'ID', hub]);
      await scene.server.command(['SET', `app/${round}`, 'x']);
      await until('the write in the gap', () => seen.pairs[round] === 'x', { every: 5 });
    }
    expect(seen.error).toBeUndefined();
  });

  test('pitfalls 3 and 4: a server that comes back empty, FLUSHALL and FLUSHDB are an empty state', async () => {
    await using scene = new Scene(await startRedis(found));
    const { server } = scene;
    const store = scene.store({ root: 'app' });
    const seen = scene.watch(store);
    for (const empty of [() => server.command(['FLUSHALL']), () => server.command(['FLUSHDB', 'ASYNC']), () => server.restart('lost')]) {
      await until('a write', async () => store.put('k', 'x').then(() => true));
      await until('the key', () => seen.pairs.k === 'x');
      await empty();
      await until('the empty state', () => seen.last?.size === 0, { every: 5 });
    }
    expect(seen.error).toBeUndefined();
  });

  test('guarantee 2: a key that is touched alone, while transactions write it together with another, is never seen without that', async () => {
    await using scene = new Scene(await startRedis(found));
    const [store, reader] = [scene.store({ root: 'app' }), scene.store({ root: 'app' })];
    const toucher = new Redis({ port: scene.server.port, protocol: 2 });
    let [going, torn, seen] = [true, 0, 0];
    const watching = reader.watchTree$('').subscribe(tree => {
      seen++;
      if (text(tree.get('a')) !== text(tree.get('b'))) torn++;
    });
    try {
      const touching = (async (): Promise<void> => {
        // Tells that the key was written, and changes nothing that is seen.
        while (going) await Promise.all(Array.from({ length: 3 }, async () => toucher.pexpire('app/a', 3_600_000)));
      })();
      for (let i = 0; i < 1500; i++) {
        const value = String(i);
        await store.transaction({ ops: ['a', 'b'].map(put => ({ put, value, ttl: 3_600_000 })) });
      }
      going = false;
      await touching;
    } finally {
      toucher.disconnect();
    }
    await until('the last transaction', async () => seen > 50);
    watching.unsubscribe();
    expect(torn).toBe(0);
  });

  test('pitfall 5: SWAPDB, which Redis tells nobody, is seen by the next look at everything', async () => {
    await using scene = new Scene(await startRedis(found));
    const store = scene.store({ root: 'app', resync: 200 });
    await store.put('k', '1');
    const seen = scene.watch(store);
    await until('the key', () => seen.pairs.k === '1');
    await scene.server.command(['SWAPDB', '0', '1']);
    await until('the empty state', () => seen.last?.size === 0);
  });

  test('pitfall 6: an end is seen in time among 20,000 keys that live longer, of which Redis tells much later', async () => {
    await using scene = new Scene(await startRedis(found));
    const { server } = scene;
    await server.command(['EVAL', "for i = 1, 20000 do redis.call('SET', 'noise/' .. i, 'x', 'EX', 3600) end", '0']);
    const store = scene.store({ root: 'app' });
    const seen = scene.watch(store);
    const late: number[] = [];
    const lived: number[] = [];
    for (let i = 0; i < 10; i++) {
      const sent = performance.now();
      await store.put(`k${i}`, 'x', { ttl: 300 });
      const due = performance.now() + 300;
      await until('the key', () => seen.trees.some(tree => tree.has(`k${i}`)), { every: 1 });
      await until('its end', () => seen.last?.has(`k${i}`) === false, { every: 1 });
      late.push(performance.now() - due);
      // The server counts from some time between the question and the answer.
      lived.push(performance.now() - sent);
    }
    late.sort((a, b) => a - b);
    expect(late[5]).toBeLessThan(50);
    expect(Math.min(...lived)).toBeGreaterThan(300 - 2);
  });

  test('pitfall 7: of 500 keys with ttls of their own each vanishes', async () => {
    await using scene = new Scene(await startRedis(found));
    const store = scene.store({ root: 'app' });
    const seen = scene.watch(store);
    const random = randomFrom(7);
    await Promise.all(Array.from({ length: 500 }, async (_, i) => store.put(`k${i}`, 'x', { ttl: 20 + random() * 800 })));
    await until('some', () => (seen.last?.size ?? 0) > 0);
    await until('all to be gone', () => seen.last?.size === 0, { within: 3000 });
    expect((await store.list('')).size).toBe(0);
  });

  test('pitfall 8: renewals say nothing to who watches', async () => {
    await using scene = new Scene(await startRedis(found));
    const [store, other] = [scene.store({ root: 'app' }), scene.store({ root: 'app' })];
    const said: unknown[] = [];
    const alive = store.keepAlive$('service', 'here', { ttl: 600 }).subscribe();
    await until('the key', async () => other.exists('service'));
    const watching = other.watch$('service').subscribe(entry => said.push(entry));
    const began = performance.now();
    await until('nine renewals or more', () => performance.now() - began > 2000);
    expect(said.length).toBe(1);
    watching.unsubscribe();
    alive.unsubscribe();
  });

  test('pitfall 24: keys that are no strings, or have no valid name, are left out and counted', async () => {
    await using scene = new Scene(await startRedis(found));
    const { server } = scene;
    const store = scene.store({ root: 'app' });
    await server.command(['RPUSH', 'app/list', 'x']);
    await server.command(['SET', 'app//double', 'x']);
    await store.put('k', '1');
    const seen = scene.watch(store);
    await until('the tree', () => seen.trees.length > 0);
    expect([Object.keys(seen.pairs), [...(await store.list('')).keys()]]).toEqual([['k'], ['k']]);
    expect((await store.health()).warnings.join()).toContain('2 records');
    expect(await store.get('list')).toBeUndefined();
    expect((await refused(store.put('list', 'x'))).code).toBe('invalid');
    await store.deleteTree('');
    expect(await server.command(['LRANGE', 'app/list', '0', '-1'])).toEqual(['x']);
  });

  test('pitfall 25: without the right to be told a watch and a lock are unsupported and say what is missing; reads, lists and writes go on', async () => {
    await using scene = new Scene(await startRedis(found, { auth: true }));
    const { server } = scene;
    await server.command(['ACL', 'SETUSER', 'deaf', 'on', '>secret', '~app/*', '+@all', '-@dangerous', 'resetchannels']);
    const auth = { username: 'deaf', password: 'secret' };
    const store = scene.store({ root: 'app', auth });
    await store.put('k', '1');
    expect(pairsOf(await store.list(''))).toEqual({ k: '1' });
    const seen = scene.watch(store);
    await until('the error', () => seen.error !== undefined);
    expect([seen.error?.code, seen.error?.message.includes('&__redis__:invalidate')]).toEqual(['unsupported', true]);
    expect((await refused(store.lock('job'))).code).toBe('unsupported');
    const before = String(await server.command(['INFO', 'stats'])).match(/total_connections_received:(\d+)/)?.[1];
    await pause(300);
    const after = String(await server.command(['INFO', 'stats'])).match(/total_connections_received:(\d+)/)?.[1];
    // The two probes themselves.
    expect(Number(after) - Number(before)).toBeLessThanOrEqual(2);
    const limited = scene.store({ root: 'elsewhere', auth: redisUsers.limited });
    const denied = scene.watch(limited);
    await until('the denial', () => denied.error !== undefined);
    expect(denied.error?.code).toBe('denied');
  });

  test('pitfall 31: a hundred watches of a store are one connection that is told, and none once they have ended', async () => {
    await using scene = new Scene(await startRedis(found));
    const store = scene.store({ root: 'app' });
    const subscriptions = Array.from({ length: 100 }, (_, i) => store.watchTree$(`dir${i % 10}`).subscribe());
    await until('the hub', async () => (await scene.hubs()).length === 1);
    await store.put('dir1/k', 'x');
    expect((await scene.hubs()).length).toBe(1);
    for (const subscription of subscriptions) subscription.unsubscribe();
    await until('no hub', async () => (await scene.hubs()).length === 0);
  });

  test('pitfall 16: SCAN over many keys, with names that are patterns, lists a directory whole and once', async () => {
    await using scene = new Scene(await startRedis(found));
    const { server } = scene;
    await server.command(['EVAL', "for i = 1, 30000 do redis.call('SET', 'app/a1/' .. i, 'x') end", '0']);
    const store = scene.store({ root: 'app' });
    const names = ['a[1]/x', 'a*/x', 'a?/x', 'a\\/x', 'a-z/x', 'a^/x'];
    for (const name of names) await store.put(name, name);
    for (const name of names) expect(pairsOf(await store.list(name.slice(0, -2)))).toEqual({ [name]: name });
    expect((await store.list('a1')).size).toBe(30_000);
    const children = await store.children('');
    expect(children.map(({ name }) => name).sort()).toEqual([...names.map(name => name.slice(0, -2)), 'a1'].sort());
  });

  describe('under a storm of 20,000 operations, of ours and of others, with all our connections killed at random', () => {
    for (const index of [false, true]) {
      test(`${index ? 'with an index' : 'without an index'} each lull finds the watch, the list and the server alike, and no transaction torn`, async () => {
        await using scene = new Scene(await startRedis(found));
        const { server } = scene;
        const writer = scene.store({ root: 'app', index });
        const reader = scene.store({ root: 'app', index });
        let tree: Record<string, string> = {};
        let torn = 0;
        let snapshots = 0;
        const subscription = reader
          .watchTree$('')
          .pipe(retryTransient({ first: 10, most: 100 }))
          .subscribe(snapshot => {
            tree = pairsOf(snapshot);
            snapshots++;
            if (new Set([tree['pair/a'], tree['pair/z'], tree['pair/m/n']]).size > 1) torn++;
          });
        const random = randomFrom(index ? 11 : 5);
        const below = (most: number): number => Math.floor(random() * most);
        let kills = 0;
        const one = async (i: number): Promise<void> => {
          const key = `k${below(60)}`;
          const kind = below(100);
          if (kind < 40) await writer.put(key, `v${below(5)}`);
          else if (kind < 50) await writer.put(key, `t${below(5)}`, { ttl: 20 + below(200) });
          else if (kind < 65) await writer.delete(key);
          else if (kind < 80) {
            // What others create is not in the index before a watch has met it, and while it is cut it meets nothing.
            await server.command(['SET', `app/${key}`, `third${below(5)}`, ...(index ? ['XX'] : [])]);
          } else if (kind < 90) {
            const value = String(i);
            const ops = ['pair/a', 'pair/m/n', 'pair/z'].map(name => (i % 7 === 0 ? { delete: name } : { put: name, value }));
            await writer.transaction({ ops });
          } else if (kind < 91) await writer.deleteTree('');
          else if (kind < 92 && i % 3 === 0) {
            for (const line of String(await server.command(['CLIENT', 'LIST'])).split('\n')) {
              const id = /^id=(\d+)/.exec(line)?.[1];
              if (id === undefined || line.includes('cmd=client|list') || below(2) === 0) continue;
              await server.command(['CLIENT', 'KILL', 'ID', id]).catch(() => undefined);
              kills++;
            }
          } else if (kind < 93 && i % 40 === 0) await server.command(['FLUSHDB']);
          else await reader.get(key);
        };
        let failures = 0;
        for (let round = 0; round < 20; round++) {
          for (let i = 0; i < 1000; i += 4) {
            const outcomes = await Promise.allSettled([0, 1, 2, 3].map(async j => one(round * 1000 + i + j)));
            failures += outcomes.filter(({ status }) => status === 'rejected').length;
          }
          const stored = async (): Promise<Record<string, string>> => {
            const names = ((await server.command(['KEYS', 'app/*'])) as string[]).filter(name => !name.startsWith('app/~rxkv/'));
            const pairs = await Promise.all(names.map(async name => [name.slice(4), await server.command(['GET', name])] as const));
            return Object.fromEntries(pairs.filter(([, value]) => value !== null).sort(([a], [b]) => (a < b ? -1 : 1))) as Record<
              string,
              string
            >;
          };
          await until(
            `the watch to hold what the server does (round ${round})`,
            async () => JSON.stringify(tree) === JSON.stringify(await stored()),
            { within: 5000 },
          );
        }
        subscription.unsubscribe();
        expect(torn).toBe(0);
        expect([kills > 20, snapshots > 100]).toEqual([true, true]);
        // Cut writes are told as unknown, and no more of them than there were cuts.
        expect(failures).toBeLessThan(kills * 4);
      }, 120_000);
    }
  });
});
