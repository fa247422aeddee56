/**
 * The conformance suite on Redis: all tests on one server, each connection through a proxy of its own, so that it can be
 * cut off while another is not.
 */
import { tap } from 'rxjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { redis } from '../../src/backends/redis/index.js';
import { conformance } from '../../src/conformance/index.js';
import type { Driver, Session } from '../../src/driver.js';
import { type Proxy, startProxy } from '../faults/proxy.js';
import { type Redis, startRedis } from '../servers/redis.js';
import { describeServer, showLogsOnFailure } from '../servers/suite.js';
import { contendersIn } from './instruments.js';

/** As many connections as one test has at once, and some more. */
const mostConnections = 16;

interface Connection {
  readonly root: string;
  readonly proxy: Proxy;
  /** Those that it has had. */
  readonly sessions: Session[];
}

describeServer('redis', 'conformance', found => {
  let server: Redis;
  /** Those that no driver uses now. */
  const spare: Proxy[] = [];
  const connections = new WeakMap<Driver, Connection>();
  beforeAll(async () => {
    server = await startRedis(found);
    for (let i = 0; i < mostConnections; i++) spare.push(startProxy(server.host));
  });
  afterAll(async () => {
    await Promise.all(spare.map(async proxy => proxy[Symbol.asyncDispose]()));
    await server[Symbol.asyncDispose]();
  });
  showLogsOnFailure(() => server.log());

  /** Answers at once, so that the capabilities are known while the tests are listed; nothing is started by then. */
  function connect({ root }: { root: string }): Driver {
    if (server === undefined) return redis({ hosts: 'localhost', root });
    const proxy = spare.pop();
    if (proxy === undefined) throw new Error('a test has more connections than there are proxies');
    const driver = redis({ hosts: proxy.host, root });
    const sessions: Session[] = [];
    const [close, session$] = [driver.close.bind(driver), driver.session$.bind(driver)];
    driver.session$ = ttl => session$(ttl).pipe(tap(session => sessions.push(session)));
    driver.close = async () => {
      await close();
      proxy.cut();
      await proxy.heal();
      spare.push(proxy);
    };
    connections.set(driver, { root, proxy, sessions });
    return driver;
  }

  function connectionOf(driver: Driver): Connection {
    const connection = connections.get(driver);
    if (connection === undefined) throw new Error('the driver is none of this harness');
    return connection;
  }

  /** What Redis itself does when a session's time is over: its record goes, and all that has its name in the companion. */
  async function expireSession(driver: Driver, session?: Session): Promise<void> {
    const { root, sessions } = connectionOf(driver);
    const script = `
      redis.call('DEL', ARGV[1] .. 'session:{' .. ARGV[2] .. '}')
      for _, side in ipairs(redis.call('KEYS', ARGV[1] .. 'rev:*')) do
        if string.match(redis.call('GET', side), ' ([^ ]+)$') == ARGV[2] then
          redis.call('DEL', string.sub(side, #ARGV[1] + 6, -2), side)
        end
      end
      return 1`;
    for (const { id } of session === undefined ? sessions : [session]) await server.command(['EVAL', script, '0', `${root}/~rxkv/`, id]);
  }

  async function watchers(): Promise<number> {
    const clients = String(await server.command(['CLIENT', 'LIST']));
    // Flag B: tracks keys in broadcast mode.
    return clients.split('\n').filter(client => / flags=\S*B/.test(client)).length;
  }

  conformance(
    { test, expect },
    {
      name: 'redis',
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
      // It has no history to forget.
      compact: () => undefined,
      roundTrips: driver => connectionOf(driver).proxy.counts.roundTrips,
      serverWatches: watchers,
      contenders: async (driver, lock) => contendersIn(redis({ hosts: server.host, root: connectionOf(driver).root }), lock),
      silence: 2000,
    },
  );
});
