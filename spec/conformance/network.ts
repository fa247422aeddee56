/**
 * A network: what the connections of a suite go through, each by proxies of its own, so that one can be cut off while
 * another is not.
 */
import { tap } from 'rxjs';
import type { Harness } from '../../src/conformance/index.js';
import type { Driver, Session } from '../../src/driver.js';
import { type Proxy, startProxy } from '../faults/proxy.js';

/** How a driver reaches the servers: `hosts` are the proxies, one before each. */
export type Dial = (to: { readonly hosts: string[]; readonly root: string }) => Driver;

/** One driver's way to the servers. */
export interface Connection {
  readonly root: string;
  readonly proxies: readonly Proxy[];
  /** Those that it has had. */
  readonly sessions: readonly Session[];
  /** For the harness to count. */
  trips: number;
}

/** As many connections as one test has at once, and some more. */
const mostConnections = 16;

/**
 * @example
 * const network = new Network(({ hosts, root }) => etcd({ hosts, root }));
 * beforeAll(() => network.open(server.host));
 * afterAll(() => network.close());
 * conformance({ test, expect }, { name: 'etcd', ...network.hooks });
 */
export class Network {
  /** Of a harness, as they are. */
  readonly hooks: Required<Pick<Harness, 'connect' | 'cut' | 'hang' | 'heal'>> = {
    connect: ({ root }) => this.connect(root),
    cut: async driver => this.each(driver, cutOff),
    hang: async driver => this.each(driver, async proxy => proxy.blackhole()),
    heal: async driver => this.each(driver, proxy => proxy.heal()),
  };
  private readonly dial: Dial;
  /** Those that no driver uses now; undefined before they are laid. */
  private spare: (readonly Proxy[])[] | undefined;
  private readonly connections: WeakMap<Driver, Connection> = new WeakMap();

  constructor(dial: Dial) {
    this.dial = dial;
  }

  /** @param hosts  `host:port` of each server that all connections reach */
  open(...hosts: readonly string[]): void {
    this.spare = Array.from({ length: mostConnections }, () => hosts.map(host => startProxy(host)));
  }

  async close(): Promise<void> {
    const spare = this.spare ?? [];
    await Promise.all(spare.flat().map(proxy => proxy[Symbol.asyncDispose]()));
  }

  /** @throws Error for a driver that this network did not dial, or that is used only while tests are listed */
  connectionOf(driver: Driver): Connection {
    const connection = this.connections.get(driver);
    if (connection === undefined) throw new Error('the driver is none of this network');
    return connection;
  }

  /** Answers at once also while tests are listed, which is before there are servers: that driver is closed unused. */
  private connect(root: string): Driver {
    if (this.spare === undefined) return this.dial({ hosts: ['localhost'], root });
    const proxies = this.spare.pop();
    if (proxies === undefined) throw new Error(`a test has more than ${mostConnections} connections at once`);
    const driver = this.dial({ hosts: proxies.map(({ host }) => host), root });
    const sessions: Session[] = [];
    const [close, session$] = [driver.close.bind(driver), driver.session$.bind(driver)];
    driver.session$ = ttl => session$(ttl).pipe(tap(session => sessions.push(session)));
    driver.close = async () => {
      await close();
      await Promise.all(proxies.map(async proxy => (proxy.cut(), proxy.heal())));
      this.spare?.push(proxies);
    };
    this.connections.set(driver, { root, proxies, sessions, trips: 0 });
    return driver;
  }

  private async each(driver: Driver, work: (proxy: Proxy) => Promise<void>): Promise<void> {
    await Promise.all(this.connectionOf(driver).proxies.map(work));
  }
}

async function cutOff(proxy: Proxy): Promise<void> {
  await proxy.refuse();
  proxy.cut();
}
