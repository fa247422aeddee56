/**
 * The conformance suite on etcd: all tests on one server, each connection through a proxy of its own, so that it can be
 * cut off while another is not.
 */
import { tap } from 'rxjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { etcd } from '../../src/backends/etcd/index.js';
import { conformance } from '../../src/conformance/index.js';
import type { Driver, Session } from '../../src/driver.js';
import { type Proxy, startProxy } from '../faults/proxy.js';
import { ask } from '../servers/ask.js';
import { base64, type Etcd, startEtcd } from '../servers/etcd.js';
import { describeServer, showLogsOnFailure } from '../servers/suite.js';
import { contendersIn } from './instruments.js';

/** As many connections as one test has at once, and some more. */
const mostConnections = 16;

interface Connection {
  readonly root: string;
  readonly proxy: Proxy;
  /** Those that it has had. */
  readonly sessions: Session[];
  /** Calls that its client has made since it is counted. */
  calls: number;
}

/** Where all calls of an Etcd3 go through. */
interface Pool {
  exec: (...call: unknown[]) => unknown;
  counted?: boolean;
}

describeServer('etcd', 'conformance', found => {
  let server: Etcd;
  /** Those that no driver uses now. */
  const spare: Proxy[] = [];
  const connections = new WeakMap<Driver, Connection>();
  beforeAll(async () => {
    server = await startEtcd(found);
    for (let i = 0; i < mostConnections; i++) spare.push(startProxy(server.host));
  });
  afterAll(async () => {
    await Promise.all(spare.map(async proxy => proxy[Symbol.asyncDispose]()));
    await server[Symbol.asyncDispose]();
  });
  showLogsOnFailure(() => server.log());

  /** Answers at once, so that the capabilities are known while the tests are listed; nothing is started by then. */
  function connect({ root }: { root: string }): Driver {
    if (server === undefined) return etcd({ hosts: 'localhost', root });
    const proxy = spare.pop();
    if (proxy === undefined) throw new Error('a test has more connections than there are proxies');
    const driver = etcd({ hosts: proxy.host, root });
    const sessions: Session[] = [];
    const [close, session$] = [driver.close.bind(driver), driver.session$.bind(driver)];
    driver.session$ = ttl => session$(ttl).pipe(tap(session => sessions.push(session)));
    driver.close = async () => {
      await close();
      proxy.cut();
      await proxy.heal();
      spare.push(proxy);
    };
    connections.set(driver, { root, proxy, sessions, calls: 0 });
    return driver;
  }

  function connectionOf(driver: Driver): Connection {
    const connection = connections.get(driver);
    if (connection === undefined) throw new Error('the driver is none of this harness');
    return connection;
  }

  /** Not the proxy's count: HTTP/2 answers pings and widens windows when it likes. */
  function roundTrips(driver: Driver): number {
    const connection = connectionOf(driver);
    const pool = (driver.native as { readonly kv: { readonly client: Pool } } | undefined)?.kv.client;
    if (pool !== undefined && pool.counted !== true) {
      const exec = pool.exec.bind(pool);
      pool.counted = true;
      pool.exec = (...call) => {
        connection.calls++;
        return exec(...call);
      };
    }
    return connection.calls;
  }

  async function ok(path: string, body: object): Promise<Record<string, unknown>> {
    const { status, body: answer } = await server.call(path, body);
    if (status !== 200) throw new Error(`etcd refused ${path}: ${status} ${answer}`);
    return JSON.parse(answer) as Record<string, unknown>;
  }

  async function expireSession(driver: Driver, session?: Session): Promise<void> {
    const expiring = session === undefined ? connectionOf(driver).sessions : [session];
    // Some of them have ended by now, and etcd says so.
    await Promise.all(expiring.map(async ({ id }) => server.call('lease/revoke', { ID: BigInt(`0x${id}`).toString() })));
  }

  async function compact(): Promise<void> {
    const { header } = (await ok('kv/range', { key: base64('none') })) as { header: { revision: string } };
    await ok('kv/compaction', { revision: header.revision, physical: true });
  }

  async function watchers(): Promise<number> {
    const { body } = await ask(`${server.url}/metrics`);
    return Number(/^etcd_debugging_mvcc_watcher_total (\d+)$/m.exec(body)?.[1] ?? Number.NaN);
  }

  conformance(
    { test, expect },
    {
      name: 'etcd',
      connect,
      async cut(driver) {
        const { proxy } = connectionOf(driver);
        await proxy.refuse();
        proxy.cut();
      },
      hang: driver => connectionOf(driver).proxy.blackhole(),
      heal: async driver => connectionOf(driver).proxy.heal(),
      restart: async () => server.restart('kept'),
      expireSession,
      compact,
      roundTrips,
      serverWatches: watchers,
      contenders: async (driver, lock) => contendersIn(etcd({ hosts: server.host, root: connectionOf(driver).root }), lock),
      silence: 2000,
    },
  );
});
