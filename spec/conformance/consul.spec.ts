/**
 * The conformance suite on Consul: all tests on one agent, each connection through a proxy of its own, so that it can be
 * cut off while another is not.
 */
import { tap } from 'rxjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { consul } from '../../src/backends/consul/index.js';
import { conformance } from '../../src/conformance/index.js';
import type { Driver, Session } from '../../src/driver.js';
import { type Proxy, startProxy } from '../faults/proxy.js';
import { type Consul, startConsul } from '../servers/consul.js';
import { describeServer, showLogsOnFailure } from '../servers/suite.js';
import { contendersIn, counted, type Traffic } from './instruments.js';

/** As many connections as one test has at once, and some more. */
const mostConnections = 16;

/** ms: what is left of a writer that was cut off goes after twice as long. */
const sessionTtlMin = 1000;

const config = {
  session_ttl_min: `${sessionTtlMin}ms`,
  // Each driver counts its own proxy's connections, and all proxies are one address to the agent.
  limits: { http_max_conns_per_client: 5000 },
};

interface Connection {
  readonly root: string;
  readonly proxy: Proxy;
  readonly traffic: Traffic;
  /** Those that it has had. */
  readonly sessions: Session[];
  /** Calls that its client has made since it is counted. */
  calls: number;
  counted: boolean;
}

/** The client, which tells of each request that it sends. */
interface Native {
  on(event: 'log', listen: (tags: readonly string[]) => void): void;
}

describeServer('consul', 'conformance', found => {
  let server: Consul;
  /** Those that no driver uses now. */
  const spare: Proxy[] = [];
  const connections = new WeakMap<Driver, Connection>();
  beforeAll(async () => {
    server = await startConsul(found, found.kind === 'program' ? { config } : {});
    for (let i = 0; i < mostConnections; i++) spare.push(startProxy(server.host));
  });
  afterAll(async () => {
    await Promise.all(spare.map(async proxy => proxy[Symbol.asyncDispose]()));
    await server[Symbol.asyncDispose]();
  });
  showLogsOnFailure(() => server.log());

  /** Answers at once, so that the capabilities are known while the tests are listed; nothing is started by then. */
  function connect({ root }: { root: string }): Driver {
    if (server === undefined) return consul({ hosts: 'localhost', root, sessionTtlMin });
    const proxy = spare.pop();
    if (proxy === undefined) throw new Error('a test has more connections than there are proxies');
    const driver = consul({ hosts: proxy.host, root, sessionTtlMin });
    const sessions: Session[] = [];
    const [close, session$] = [driver.close.bind(driver), driver.session$.bind(driver)];
    driver.session$ = ttl => session$(ttl).pipe(tap(session => sessions.push(session)));
    driver.close = async () => {
      await close();
      proxy.cut();
      await proxy.heal();
      spare.push(proxy);
    };
    connections.set(driver, { root, proxy, traffic: counted(driver), sessions, calls: 0, counted: false });
    return driver;
  }

  function connectionOf(driver: Driver): Connection {
    const connection = connections.get(driver);
    if (connection === undefined) throw new Error('the driver is none of this harness');
    return connection;
  }

  /** Of the client that calls go through: queries that block come back when they like. */
  function roundTrips(driver: Driver): number {
    const connection = connectionOf(driver);
    const native = driver.native as Native | undefined;
    if (native !== undefined && !connection.counted) {
      connection.counted = true;
      native.on('log', ([, what, more]) => {
        if (what === 'request' && more !== 'error') connection.calls++;
      });
    }
    return connection.calls;
  }

  async function expireSession(driver: Driver, session?: Session): Promise<void> {
    const expiring = session === undefined ? connectionOf(driver).sessions : [session];
    // Some of them have ended by now, which Consul does not mind.
    await Promise.all(expiring.map(async ({ id }) => server.call(`session/destroy/${id}`, { method: 'PUT' })));
  }

  conformance(
    { test, expect },
    {
      name: 'consul',
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
      roundTrips,
      serverWatches: driver => connectionOf(driver).traffic.watches,
      contenders: async (driver, lock) => contendersIn(consul({ hosts: server.host, root: connectionOf(driver).root }), lock),
      silence: 2000,
    },
  );
});
