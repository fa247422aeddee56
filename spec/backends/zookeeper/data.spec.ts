/** Data: what becomes of keys as nodes, compare-and-set, trees, ttls, and who may see what. */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ZooKeeperOptions, zookeeper } from '../../../src/backends/zookeeper/index.js';
import type { StockClient } from '../../../src/backends/zookeeper/package.js';
import { createStore, type Snapshot, type Store, text } from '../../../src/index.js';
import { startProxy } from '../../faults/proxy.js';
import { describeProgram, showLogsOnFailure } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { startZooKeeper, type ZooKeeper, zooKeeperUsers } from '../../servers/zookeeper.js';
import { type Api, within } from './clients.js';

const tickTime = 500;

describeProgram('zookeeper', 'data on ZooKeeper', found => {
  let server: ZooKeeper;
  beforeAll(async () => {
    server = await startZooKeeper(found, { tickTime });
  });
  afterAll(() => server[Symbol.asyncDispose]());
  showLogsOnFailure(() => server.log());
  const stores: Store[] = [];
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });
  let roots = 0;
  const open = (options: Partial<ZooKeeperOptions> = {}): Store => {
    const store = createStore(zookeeper({ tickTime, hosts: server.host, ...options, root: options.root ?? `root${++roots}` }));
    stores.push(store);
    return store;
  };
  const again = (): string => `root${roots}`;
  const native = (store: Store): Api => store.native as Api;

  async function raw(store: Store, path: string): Promise<unknown> {
    return within<Buffer>(2000, told => native(store).getData(path, told));
  }

  describe('nodes', () => {
    test('directories have null data and are no keys, empty values are; both outlive a restart', async () => {
      await using own = await startZooKeeper(found, { tickTime });
      const store = open({ hosts: own.host, root: 'r' });
      await store.put('a/b/c', 'deep');
      await store.put('a/empty', '');
      await own.restart('kept');
      await until('an answer', async () => (await store.list('')).size === 2);
      expect([await store.get('a'), await store.get('a/b')]).toEqual([undefined, undefined]);
      expect((await store.get('a/empty'))?.value.length).toBe(0);
      expect(await raw(store, '/r/a/b')).toBeUndefined();
      expect(await raw(store, '/r/a/empty')).toEqual(Buffer.alloc(0));
    }, 30_000);

    test('what ZooKeeper refuses in names is written as %uXXXX, what looks like it too, and the rest as it is', async () => {
      const store = open();
      for (const [key, node] of [
        ['😀', '%ud83d%ude00'],
        ['%u0041', '%u0025u0041'],
        ['100%', '100%'],
        ['a b', 'a b'],
      ]) {
        await store.put(`n/${key}`, String(key));
        expect(String(await raw(store, `/${again()}/n/${node}`))).toBe(key);
        expect(text((await store.list('n')).get(`n/${key}`))).toBe(key);
      }
    });

    test('without a root a key may be named zookeeper, and the server’s own nodes are not shown', async () => {
      await using own = await startZooKeeper(found, { tickTime });
      const store = createStore(zookeeper({ hosts: own.host, tickTime }));
      stores.push(store);
      await store.put('zookeeper/config', 'ours');
      await store.put('k', 'x');
      expect([...(await store.list('')).keys()]).toEqual(['k', 'zookeeper/config']);
      expect(text(await store.get('zookeeper/config'))).toBe('ours');
      await store.deleteTree('');
      expect((await store.health()).ok).toBe(true);
      expect((await store.list('')).size).toBe(0);
    }, 30_000);

    test('nodes of others whose names are no keys are left out and counted', async () => {
      const store = open();
      await store.put('k', 'x');
      await within(2000, told => native(store).create(`/${again()}/%u0041`, Buffer.from('theirs'), undefined, told));
      expect([...(await store.list('')).keys()]).toEqual(['k']);
      expect((await store.health()).warnings.join()).toContain('1 record below the root is');
    });

    test('empty directories go with the last key in them, and only they', async () => {
      const store = open();
      await store.put('a/b/c/d', 'x');
      await store.put('a/b', 'y');
      await store.delete('a/b/c/d');
      expect(await raw(store, `/${again()}/a/b/c`)).toBeInstanceOf(Error);
      expect(text(await store.get('a/b'))).toBe('y');
    });

    test('the largest value is taken also below the longest path, one more byte is invalid and cuts nothing', async () => {
      const store = open();
      const key = 'd/'.repeat(511) + 'k';
      await store.put(key, new Uint8Array(store.capabilities.maxValue));
      expect((await store.get(key))?.value.length).toBe(store.capabilities.maxValue);
      const states: string[] = [];
      (store.native as StockClient).on('state', (state: { name: string }) => states.push(state.name));
      await expect(store.put('k', new Uint8Array(store.capabilities.maxValue + 1))).rejects.toMatchObject({ code: 'invalid' });
      const ops = Array.from({ length: 400 }, (_, i) => ({ put: `${'😀'.repeat(225)}/${i}`, value: new Uint8Array(1400) }));
      await expect(store.transaction({ ops })).rejects.toMatchObject({ code: 'invalid' });
      expect(states).toEqual([]);
    });
  });

  describe('compare-and-set', () => {
    test('a node that another store made anew to the same version is another, also between our read and our write', async () => {
      await using proxy = startProxy(server.host);
      const [store, other] = [open({ hosts: proxy.host }), open({ root: again() })];
      for (let i = 0; i < 5; i++) {
        const before = await store.put('k', 'same');
        const { down } = proxy.counts;
        // Long enough for the other to come in between.
        proxy.delay(300, 'up');
        const writing = i % 2 === 0 ? store.atomicPut('k', 'mine', before) : store.atomicDelete('k', before);
        const outcome = writing.then(
          () => 'won',
          (error: unknown) => (error as { code: string }).code,
        );
        await until('what was read', () => proxy.counts.down > down + 100);
        await other.delete('k');
        await other.put('k', 'same');
        expect(await outcome).toBe('conflict');
        expect(text(await other.get('k'))).toBe('same');
        await proxy.heal();
        await store.delete('k');
      }
    });

    test('an absent key in a check is refused when it comes, also where its directory is absent', async () => {
      const store = open();
      await store.transaction({ checks: [{ key: 'x/y/z', entry: undefined }], ops: [{ put: 'marker', value: '1' }] });
      expect(await store.get('x/y/z')).toBeUndefined();
      await store.put('x/y/z', 'here');
      const refused = store.transaction({ checks: [{ key: 'x/y/z', entry: undefined }], ops: [{ put: 'marker', value: '2' }] });
      await expect(refused).rejects.toMatchObject({ code: 'conflict' });
      expect(text(await store.get('marker'))).toBe('1');
    });
  });

  describe('deleteTree', () => {
    test('two thousand keys go in one step: a watcher sees all of them or none', async () => {
      const [store, other] = [open(), open({ root: again() })];
      const keys = Array.from({ length: 2000 }, (_, i) => `t/${i % 20}/${i}`);
      await Promise.all(keys.map(key => store.put(key, 'x')));
      const sizes: number[] = [];
      const watching = other.watchTree$('t').subscribe(tree => sizes.push(tree.size));
      await until('all of them', () => sizes.at(-1) === 2000);
      await store.deleteTree('t');
      await until('none', () => sizes.at(-1) === 0);
      expect(sizes.filter(size => size > 0 && size < 2000)).toEqual([]);
      watching.unsubscribe();
    });

    test('thirty thousand keys go stepwise: a fence holds for each step, and each has the timeout, not all together', async () => {
      await using proxy = startProxy(server.host);
      const [store, far] = [open(), open({ hosts: proxy.host, root: again() })];
      const keys = Array.from({ length: 30_000 }, (_, i) => `t/${i % 20}/some-longer-name-of-a-key-${i}`);
      for (let i = 0; i < keys.length; i += 2000) await Promise.all(keys.slice(i, i + 2000).map(key => store.put(key, '')));
      const lock = await far.lock('fence');
      proxy.delay(200);
      const began = performance.now();
      await far.deleteTree('t', { lock, timeout: 2500 });
      expect(performance.now() - began).toBeGreaterThan(2500);
      await proxy.heal();
      expect((await store.list('')).size).toBe(0);
      expect(await raw(store, `/${again()}/t`)).toBeInstanceOf(Error);
      await lock.release();
    }, 60_000);
  });

  describe('ttl', () => {
    test('two hundred keys with three ttls need three sessions more, and none once they are gone', async () => {
      const store = open();
      await store.ready();
      const base = await sessions();
      const alive = Array.from({ length: 200 }, (_, i) =>
        store.keepAlive$(`s/${i}`, 'x', { ttl: [1000, 2000, 4000][i % 3] as number }).subscribe(),
      );
      await until('all of them', async () => (await store.list('s')).size === 200);
      expect((await sessions()) - base).toBeLessThanOrEqual(3);
      for (const each of alive) each.unsubscribe();
      await until('none', async () => (await store.list('s')).size === 0);
      await until('the sessions to have ended', async () => (await sessions()) === base);
    });

    async function sessions(): Promise<number> {
      return Number(/zk_num_alive_connections\s+(\d+)/.exec(await server.fourLetters('mntr'))?.[1]);
    }

    test('a key with a ttl has no keys below it, in either order: conflict, and nothing is written', async () => {
      const store = open();
      await store.put('leased', 'x', { ttl: 5000 });
      await expect(store.put('leased/below', 'y')).rejects.toMatchObject({ code: 'conflict' });
      await store.put('dir/below', 'y');
      await expect(store.put('dir', 'x', { ttl: 5000 })).rejects.toMatchObject({ code: 'conflict' });
      expect([...(await store.list('')).keys()]).toEqual(['dir/below', 'leased']);
    });

    test('a writer that dies takes its keys with it; a permanent put over one of them stays', async () => {
      const [store, other] = [open(), open({ root: again() })];
      await store.put('goes', 'x', { ttl: 9000 });
      await store.put('stays', 'x', { ttl: 9000 });
      await other.put('stays', 'mine');
      await store.close();
      await until('the key to go', async () => (await other.get('goes')) === undefined);
      expect(text(await other.get('stays'))).toBe('mine');
    });

    test('with ttlNodes keys outlive their writer, are seen as leased, and become permanent by a put', async () => {
      await using own = await startZooKeeper(found, {
        tickTime,
        properties: { 'zookeeper.extendedTypesEnabled': true, 'znode.container.checkIntervalMs': '100' },
      });
      const root = 'ttl';
      const [store, other] = [open({ hosts: own.host, root, ttlNodes: true }), open({ hosts: own.host, root })];
      expect(store.capabilities.ttlBoundTo).toBe('server');
      await store.put('goes', 'x', { ttl: 1500 });
      await store.put('stays', 'x', { ttl: 1500 });
      await store.put('kept', 'x', { ttl: 1500 });
      await store.put('kept', 'y', { ttl: 'keep' });
      await store.close();
      for (const key of ['goes', 'stays', 'kept']) expect((await other.get(key))?.leased).toBe(true);
      expect((await other.put('stays', 'permanent')).leased).toBe(false);
      await until('the others to go', async () => (await other.list('')).size === 1, { within: 10_000 });
      expect(text(await other.get('stays'))).toBe('permanent');
    }, 30_000);

    test('ttlNodes on a server that has none is unsupported, and nothing is written', async () => {
      const store = open({ ttlNodes: true });
      await expect(store.put('k', 'x', { ttl: 5000 })).rejects.toMatchObject({ code: 'unsupported' });
      expect(await store.get('k')).toBeUndefined();
    });
  });

  describe('access', () => {
    const { owner, other } = zooKeeperUsers;

    test('with a user all that the store makes is that user’s: others are denied', async () => {
      const store = open({ auth: owner });
      await store.put('a/k', 'secret');
      const lock = await store.lock('job');
      for (const auth of [undefined, other]) {
        const theirs = open({ root: again(), ...(auth === undefined ? {} : { auth }) });
        for (const call of [
          () => theirs.get('a/k'),
          () => theirs.put('a/k', 'x'),
          () => theirs.list(''),
          () => theirs.delete('a/k'),
          () => theirs.lock('job', { wait: 0 }),
        ])
          await expect(call()).rejects.toMatchObject({ code: 'denied' });
      }
      expect(text(await store.get('a/k'))).toBe('secret');
      await lock.release();
    });

    test('rules: the world may read, a user write, an address do everything', async () => {
      const rules = [{ world: true, can: 'r' } as const, { user: owner, can: 'rwcda' }, { ip: '127.0.0.2' }];
      const store = open({ auth: owner, acl: rules });
      await store.put('k', 'x');
      const reader = open({ root: again() });
      expect(text(await reader.get('k'))).toBe('x');
      await expect(reader.put('k', 'y')).rejects.toMatchObject({ code: 'denied' });
      const id = `owner:${createHash('sha1').update('owner:owner-password').digest('base64')}`;
      const acl = await within<{ permission: number; id: { scheme: string; id: string } }[]>(2000, told =>
        (native(store) as unknown as { getACL(path: string, told: unknown): void }).getACL(`/${again()}/k`, told),
      );
      expect(
        (acl as { permission: number; id: { scheme: string; id: string } }[]).map(each => [each.permission, each.id.scheme, each.id.id]),
      ).toEqual([
        [1, 'world', 'anyone'],
        [31, 'digest', id],
        [31, 'ip', '127.0.0.2'],
      ]);
    });
  });

  test('TLS: a server whose authority we do not trust, and one that does not trust us, are denied at once', async () => {
    await using own = await startZooKeeper(found, { tickTime, tls: true });
    const { ca, client } = own.certificates ?? {};
    if (ca === undefined || client === undefined) throw new Error('no certificates');
    const store = open({ hosts: own.host, tls: { ca, cert: client.cert, key: client.key } });
    expect(text(await store.put('k', '1'))).toBe('1');
    for (const tls of [true, { ca }] as const) {
      const began = performance.now();
      await expect(open({ hosts: own.host, tls }).get('k')).rejects.toMatchObject({ code: 'denied' });
      await expect(open({ hosts: own.host, tls }).lock('job')).rejects.toMatchObject({ code: 'denied' });
      expect(performance.now() - began).toBeLessThan(2000);
    }
    await expect(open({ hosts: own.host }).get('k', { timeout: 500 })).rejects.toMatchObject({ transient: true });
  }, 30_000);

  test('subscribers, unsubscribed, leave no watch on the server; a watch of a key and of its tree live side by side', async () => {
    const [store, other] = [open(), open({ root: again() })];
    await other.put('d', '0');
    let key: string | undefined;
    let tree: Snapshot | undefined;
    const watching = [
      store.watchTree$('d').subscribe(now => (tree = now)),
      store.watch$('d').subscribe(entry => (key = text(entry))),
      store.watchTree$('').subscribe(),
    ];
    await until('the current state', () => key === '0' && tree?.size === 0);
    for (let i = 1; i < 4; i++) {
      await other.put('d', String(i));
      await other.put('d/x', String(i));
      await until('both', () => key === String(i) && text(tree?.get('d/x')) === String(i));
    }
    for (const each of watching) each.unsubscribe();
    await until('no watch to be left', async () => /Total watches:0/.test(await server.fourLetters('wchs')));
  });
});
