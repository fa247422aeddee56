/** The connection: each defect of the stock client that ours mends, shown on both. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { watchKind } from '../../../src/backends/zookeeper/numbers.js';
import { removeWatches } from '../../../src/backends/zookeeper/wire.js';
import type { Connection } from '../../../src/backends/zookeeper/connection.js';
import { loadPackage } from '../../../src/backends/zookeeper/package.js';
import { startProxy } from '../../faults/proxy.js';
import { describeProgram, showLogsOnFailure } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { startZooKeeper, type ZooKeeper, zooKeeperUsers } from '../../servers/zookeeper.js';
import { catchUncaught } from '../../uncaught.js';
import { type Open, type Opened, ours, stock, within } from './clients.js';

describeProgram('zookeeper', 'the connection', found => {
  let server: ZooKeeper;
  beforeAll(async () => {
    server = await startZooKeeper(found, { tickTime: 500 });
    await using session = await server.session();
    await session.create('/large', 'x'.repeat(50_000));
    await session.create('/k', 'value');
  });
  afterAll(() => server[Symbol.asyncDispose]());
  showLogsOnFailure(() => server.log());

  /** The scenario says whether all is well: it is with ours, and is not with the stock client. */
  const mended = (title: string, scenario: (open: Open) => Promise<boolean>): void => {
    test(`mended: ${title}`, async () => {
      expect(await scenario(ours)).toBe(true);
      expect(await scenario(stock)).toBe(false);
    });
  };

  async function connected(opened: Opened): Promise<void> {
    await until('a connection', () => opened.states.at(-1) === 'SYNC_CONNECTED');
  }

  const get = (opened: Opened, path: string, ms: number): Promise<unknown> => within<Buffer>(ms, told => opened.client.getData(path, told));

  mended('a server that hangs is noticed within the session', async open => {
    await using proxy = startProxy(server.host);
    await using client = await open({ hosts: [proxy.host] });
    await connected(client);
    proxy.blackhole();
    return (await get(client, '/k', 1500)) instanceof Error;
  });

  mended('a host that takes the connection and says nothing is left for the next', async open => {
    const hole = createServer(() => undefined).listen(0, '127.0.0.1');
    await until('the hole', () => hole.listening);
    try {
      await using client = await open({ hosts: [`127.0.0.1:${(hole.address() as AddressInfo).port}`, server.host], session: 2000 });
      return (await get(client, '/k', 3000)) instanceof Buffer;
    } finally {
      hole.close();
    }
  });

  test('what is closed while its socket is on its way out is not connected anew', async () => {
    const hole = createServer(() => undefined).listen(0, '127.0.0.1');
    await until('the hole', () => hole.listening);
    try {
      await using client = await ours({ hosts: [`127.0.0.1:${(hole.address() as AddressInfo).port}`], session: 2000 });
      const { manager } = client;
      const socket = await until('a socket', () => manager.socket);
      const gone = once(socket, 'close');
      socket.destroy();
      client.client.close();
      await gone;
      expect(manager.state).toBe((await loadPackage()).ConnectionManager.STATES.CLOSED);
    } finally {
      hole.close();
    }
  });

  mended('a frame that was cut in the middle is forgotten', async open => {
    await using proxy = startProxy(server.host);
    await using client = await open({ hosts: [proxy.host], session: 3000 });
    await connected(client);
    const cut = proxy.cutAfter(20_000, 'down');
    await get(client, '/large', 2000);
    await cut;
    return (await get(client, '/k', 2000)) instanceof Buffer;
  });

  mended('fifteen thousand watches are set again in requests that the server takes', async open => {
    await using proxy = startProxy(server.host);
    await using client = await open({ hosts: [proxy.host], session: 5000 });
    await connected(client);
    let fired = 0;
    const paths = Array.from({ length: 15_000 }, (_, i) => `/${'watched'.repeat(13)}-${i}`);
    await Promise.all(paths.map(async path => within(20_000, told => client.client.exists(path, () => fired++, told))));
    const before = client.states.length;
    proxy.cut();
    await until('the cut to be noticed', () => client.states.length > before);
    await get(client, '/k', 3000);
    const created = paths.find((_, i) => i === 7777) as string;
    await using session = await server.session();
    if ((await session.get(created)) === undefined) await session.create(created, '');
    const deadline = performance.now() + 1500;
    await until('the watch to fire', () => fired > 0 || performance.now() > deadline);
    return fired > 0 && client.states.length - before <= 2;
  });

  mended('what waits for a connection hears that the session has expired', async open => {
    await using proxy = startProxy(server.host);
    await using client = await open({ hosts: [proxy.host], session: 2000 });
    await connected(client);
    await proxy.refuse();
    proxy.cut();
    await until('the cut to be noticed', () => client.states.includes('DISCONNECTED'));
    const calls = Array.from({ length: 10 }, () => get(client, '/k', 3000));
    await server.endSession(client.manager.sessionId.readBigInt64BE(0));
    await proxy.heal();
    return (await Promise.all(calls)).every(outcome => outcome instanceof Error);
  });

  mended('a host may be an IPv6 address', async open => {
    await using proxy = startProxy(server.host);
    await using client = await open({ hosts: [`[::1]:${proxy.port}`] });
    return (await get(client, '/k', 1000)) instanceof Buffer;
  });

  mended('after a cut the server knows who we are before it is asked for anything', async open => {
    const { owner } = zooKeeperUsers;
    const path = `/owned-${open === ours ? 'ours' : 'stock'}`;
    await using session = await server.session();
    await session.authenticate(owner.username, owner.password);
    await session.create(path, 'mine', 'auth');
    await using proxy = startProxy(server.host);
    await using client = await open({ hosts: [proxy.host], session: 4000, user: owner });
    await connected(client);
    await get(client, path, 2000);
    await proxy.refuse();
    proxy.cut();
    await until('the cut to be noticed', () => client.states.includes('DISCONNECTED'));
    const asked = get(client, path, 3000);
    await proxy.heal();
    return (await asked) instanceof Buffer;
  });

  mended('numbers of requests begin with 1 and wrap', async open => {
    await using client = await open({ hosts: [server.host] });
    const first = client.manager.xid;
    await connected(client);
    client.manager.xid = 0x7fffffff;
    try {
      for (let i = 0; i < 3; i++) if (!((await get(client, '/k', 1000)) instanceof Buffer)) return false;
    } catch {
      return false;
    }
    return first === 1;
  });

  mended('close() before the first connection, and of a client that hangs, lets go of everything', async open => {
    await using proxy = startProxy(server.host);
    await using early = await open({ hosts: [proxy.host] });
    try {
      early.client.close();
    } catch {
      return false;
    }
    await using hung = await open({ hosts: [proxy.host] });
    await connected(hung);
    proxy.blackhole();
    const { socket } = hung.manager;
    hung.client.close();
    const deadline = performance.now() + 1500;
    await until('the socket to be closed', () => socket?.destroyed === true || performance.now() > deadline);
    return socket?.destroyed === true;
  });

  /** Messages that the server has sent to the client. */
  async function sentTo({ manager }: Opened): Promise<number> {
    const id = manager.sessionId.readBigUInt64BE(0).toString(16);
    return Number(new RegExp(`sent=(\\d+),sid=0x${id},`).exec(await server.fourLetters('cons'))?.[1] ?? Number.NaN);
  }

  mended('a watcher or a callback that throws is its owner’s affair: what is behind it is told, on the same connection', async open => {
    await using proxy = startProxy(server.host);
    await using client = await open({ hosts: [proxy.host], session: 10_000 });
    await connected(client);
    const paths = ['first', 'second'].map(name => `/${name}-${open === ours ? 'ours' : 'stock'}`);
    const [first, second] = paths as [string, string];
    let seen = 0;
    let watched = true;
    const failing = (words: string) => (): void => {
      // The stock one tells it again at its end.
      if (watched) throw new Error(words);
    };
    await within(1000, told => client.client.exists(first, failing('of a watcher'), told));
    await within(1000, told => client.client.exists(second, () => seen++, told));
    const thrown: unknown[] = [];
    const catching = catchUncaught(error => thrown.push((error as Error).message));
    try {
      proxy.blackhole('down');
      const before = await sentTo(client);
      await using session = await server.session();
      for (const path of paths) await session.create(path, '');
      client.client.getData('/k', failing('of a callback'));
      const behind = get(client, '/k', 2000);
      // Two events and two answers, which come in one piece; that of a ping may be among them.
      await until('the server to have sent all of it', async () => (await sentTo(client)) >= before + 4);
      await proxy.heal();
      const isTold = (await behind) instanceof Buffer;
      const deadline = performance.now() + 500;
      await until('the event behind the other', () => seen > 0 || performance.now() > deadline);
      return isTold && seen === 1 && thrown.join() === 'of a watcher,of a callback' && client.states.join() === 'SYNC_CONNECTED';
    } finally {
      watched = false;
      catching.stop();
    }
  });

  test('mended: a code that the package does not know is an error like others, and not one thrown at the socket', async () => {
    const { Exception } = await loadPackage();
    expect(() => Exception.create(-121)).toThrow();
    await using client = await ours({ hosts: [server.host] });
    await connected(client);
    const asked = (client.manager as Connection).send(removeWatches('/nobody-watches', watchKind.any));
    await expect(asked).rejects.toMatchObject({ code: -121 });
    expect(await get(client, '/k', 1000)).toBeInstanceOf(Buffer);
  });

  test('mended: a client that only listens goes on pinging, and keeps its session', async () => {
    await using client = await ours({ hosts: [server.host] });
    await connected(client);
    const { addWatch } = await import('../../../src/backends/zookeeper/wire.js');
    await (client.manager as Connection).send(addWatch('/busy', true));
    await using writer = await ours({ hosts: [server.host] });
    await connected(writer);
    await within(1000, told => writer.client.create('/busy', Buffer.from(''), undefined, told));
    const began = performance.now();
    for (let i = 0; performance.now() - began < 3000; i++)
      await within(1000, told => writer.client.setData('/busy', Buffer.from(String(i)), told));
    expect(client.states).toEqual(['SYNC_CONNECTED']);
  });

  test('mended: forty thousand answers in one piece are read in one go', async () => {
    await using proxy = startProxy(server.host);
    await using client = await ours({ hosts: [proxy.host], session: 10_000 });
    await connected(client);
    proxy.blackhole('down');
    const calls = Array.from({ length: 40_000 }, () => within<Buffer>(20_000, told => client.client.getData('/k', told)));
    await new Promise(resolve => setImmediate(resolve));
    await proxy.heal();
    expect((await Promise.all(calls)).every(answer => answer instanceof Buffer)).toBe(true);
  });
});
