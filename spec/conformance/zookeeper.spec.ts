/**
 * The conformance suite on ZooKeeper: all tests on one server, each connection through a proxy of its own, so that it can
 * be cut off while another is not.
 */
import { tap } from 'rxjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { zookeeper } from '../../src/backends/zookeeper/index.js';
import { conformance } from '../../src/conformance/index.js';
import type { Driver, Session } from '../../src/driver.js';
import { type Proxy, startProxy } from '../faults/proxy.js';
import { describeServer, showLogsOnFailure } from '../servers/suite.js';
import { startZooKeeper, type ZooKeeper } from '../servers/zookeeper.js';
import { contendersIn } from './instruments.js';

/** As many connections as one test has at once, and some more. */
const mostConnections = 16;
/** ms, of the server too: half a second makes sessions as short as one. */
const tickTime = 500;

interface Connection {
  readonly root: string;
  readonly proxy: Proxy;
  /** Those that it has had. */
  readonly sessions: Session[];
  /** Bursts of requests that its client has sent since it is counted. */
  bursts: number;
}

/** What all requests of a client go through. */
interface Queue {
  readonly packetQueue: { push: (packet: object) => void };
  counted?: boolean;
}

describeServer('zookeeper', 'conformance', found => {
  let server: ZooKeeper;
  /** Those that no driver uses now. */
  const spare: Proxy[] = [];
  const connections = new WeakMap<Driver, Connection>();
  beforeAll(async () => {
    server = await startZooKeeper(found, { tickTime });
    for (let i = 0; i < mostConnections; i++) spare.push(startProxy(server.host));
  });
  afterAll(async () => {
    await Promise.all(spare.map(async proxy => proxy[Symbol.asyncDispose]()));
    await server[Symbol.asyncDispose]();
  });
  showLogsOnFailure(() => server.log());

  /** Answers at once, so that the capabilities are known while the tests are listed; nothing is started by then. */
  function connect({ root }: { root: string }): Driver {
    if (server === undefined) return zookeeper({ hosts: 'localhost', root, tickTime });
    const proxy = spare.pop();
    if (proxy === undefined) throw new Error('a test has more connections than there are proxies');
    const driver = zookeeper({ hosts: proxy.host, root, tickTime });
    const sessions: Session[] = [];
    const [close, session$] = [driver.close.bind(driver), driver.session$.bind(driver)];
    driver.session$ = ttl => session$(ttl).pipe(tap(session => sessions.push(session)));
    driver.close = async () => {
      await close();
      proxy.cut();
      await proxy.heal();
      spare.push(proxy);
    };
    connections.set(driver, { root, proxy, sessions, bursts: 0 });
    return driver;
  }

  function connectionOf(driver: Driver): Connection {
    const connection = connections.get(driver);
    if (connection === undefined) throw new Error('the driver is none of this harness');
    return connection;
  }

  /** Not the proxy's count: the client pings when it likes. */
  function roundTrips(driver: Driver): number {
    const connection = connectionOf(driver);
    const queue = (driver.native as { readonly connectionManager: Queue } | undefined)?.connectionManager;
    if (queue !== undefined && queue.counted !== true) {
      const { packetQueue } = queue;
      const push = packetQueue.push.bind(packetQueue);
      let bursting = false;
      queue.counted = true;
      packetQueue.push = packet => {
        if (!bursting) {
          connection.bursts++;
          bursting = true;
          // What is asked for in one turn travels together.
          process.nextTick(() => {
            bursting = false;
          });
        }
        push(packet);
      };
    }
    return connection.bursts;
  }

  async function expireSession(driver: Driver, session?: Session): Promise<void> {
    const expiring = session === undefined ? connectionOf(driver).sessions : [session];
    const numbers = new Set(expiring.map(({ id }) => BigInt(`0x${id.split('-')[0]}`)));
    // Some of them have ended by now.
    await Promise.all([...numbers].map(async number => server.endSession(number).catch(() => undefined)));
  }

  async function watchers(): Promise<number> {
    const answer = await server.fourLetters('wchs');
    return Number(/Total watches:(\d+)/.exec(answer)?.[1] ?? Number.NaN);
  }

  conformance(
    { test, expect },
    {
      name: 'zookeeper',
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
      // What is not there yet, or is to be as it was read, is read before it is written.
      tripsPerCall: 2,
      serverWatches: watchers,
      contenders: async (driver, lock) => contendersIn(zookeeper({ hosts: server.host, root: connectionOf(driver).root, tickTime }), lock),
      silence: 2000,
    },
  );
});
