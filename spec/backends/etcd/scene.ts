/** A scene: servers, and what stands before and on them, all of which ends in the order that lets each end well. */
import { etcd } from '../../../src/backends/etcd/index.js';
import type { EtcdOptions } from '../../../src/backends/etcd/options.js';
import type { Driver } from '../../../src/driver.js';
import { createStore, type Store, type StoreOptions } from '../../../src/index.js';
import { silent } from '../../../src/logger.js';
import { type Proxy, startProxy } from '../../faults/proxy.js';
import type { Etcd } from '../../servers/etcd.js';
import { Operator, type User } from './operator.js';

/**
 * @example
 * await using scene = new Scene(await startEtcd(found));
 * const store = scene.store({ root: 'app' });
 */
export class Scene implements AsyncDisposable {
  readonly operator: Operator;
  private readonly members: readonly Etcd[];
  private readonly endings: (() => Promise<void>)[] = [];

  constructor(servers: Etcd | readonly Etcd[], user?: User) {
    this.members = 'host' in servers ? [servers] : servers;
    this.operator = new Operator(this.members, user);
    for (const member of this.members) this.endings.push(async () => member[Symbol.asyncDispose]());
  }

  get server(): Etcd {
    return this.members[0] as Etcd;
  }

  /** A proxy before the first server. */
  proxy(): Proxy {
    const proxy = startProxy(this.server.host);
    this.endings.push(async () => proxy[Symbol.asyncDispose]());
    return proxy;
  }

  /** A store on all servers, or on the hosts that are given. */
  store(options: Partial<EtcdOptions> = {}, storeOptions: StoreOptions = {}): Store {
    const store = createStore(etcd(this.with(options)), storeOptions);
    this.endings.push(async () => store.close());
    return store;
  }

  /** A started driver with no store over it. */
  driver(options: Partial<EtcdOptions> = {}): Driver {
    const driver = etcd(this.with(options));
    driver.start({ timeout: 5000, silence: 2000, logger: silent, ending: () => undefined });
    this.endings.push(async () => driver.close());
    return driver;
  }

  /** What was last to come is first to go. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.endings.splice(0).reverse()) await end();
  }

  private with(options: Partial<EtcdOptions>): EtcdOptions {
    return { hosts: this.members.map(({ host }) => host), ...options };
  }
}
