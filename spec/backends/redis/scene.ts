/** A scene: servers, and what stands before and on them, all of which ends in the order that lets each end well. */
import { redis } from '../../../src/backends/redis/index.js';
import type { RedisOptions } from '../../../src/backends/redis/options.js';
import type { Driver } from '../../../src/driver.js';
import { createStore, type Entry, KvError, type Snapshot, type Store, type StoreOptions, text } from '../../../src/index.js';
import { silent } from '../../../src/logger.js';
import { type Proxy, startProxy } from '../../faults/proxy.js';
import type { Redis } from '../../servers/redis.js';

/**
 * @example
 * await using scene = new Scene(await startRedis(found));
 * const store = scene.store({ root: 'app' });
 */
export class Scene implements AsyncDisposable {
  readonly server: Redis;
  private readonly endings: (() => Promise<void>)[] = [];

  /** @param all  what ends with it; the server by default */
  constructor(server: Redis, all: AsyncDisposable = server) {
    this.server = server;
    this.endings.push(async () => all[Symbol.asyncDispose]());
  }

  /** A proxy before the server. */
  proxy(): Proxy {
    const proxy = startProxy(this.server.host);
    this.endings.push(async () => proxy[Symbol.asyncDispose]());
    return proxy;
  }

  store(options: Partial<RedisOptions> = {}, storeOptions: StoreOptions = {}): Store {
    const store = createStore(redis({ hosts: this.server.host, ...options }), storeOptions);
    this.endings.push(async () => store.close());
    return store;
  }

  /** A started driver with no store over it. */
  driver(options: Partial<RedisOptions> = {}): Driver {
    const driver = redis({ hosts: this.server.host, ...options });
    driver.start({ timeout: 5000, silence: 2000, logger: silent, ending: () => undefined });
    this.endings.push(async () => driver.close());
    return driver;
  }

  /** What a watch of a directory has seen so far, and how it ended. */
  watch(store: Store, directory = ''): Watched {
    const watched = new Watched();
    const subscription = store.watchTree$(directory).subscribe({
      next: tree => watched.trees.push(tree),
      error: (error: unknown) => (watched.error = error as KvError),
    });
    this.endings.push(async () => subscription.unsubscribe());
    return watched;
  }

  /** The connections on which the server tells what changes. */
  async hubs(): Promise<string[]> {
    const clients = String(await this.server.command(['CLIENT', 'LIST'])).split('\n');
    return clients.flatMap(client => (/ flags=\S*B/.test(client) ? (/^id=(\d+)/.exec(client)?.[1] ?? []) : []));
  }

  /** What was last to come is first to go. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.endings.splice(0).reverse()) await end();
  }
}

export class Watched {
  readonly trees: Snapshot[] = [];
  error: KvError | undefined;

  get last(): Snapshot | undefined {
    return this.trees.at(-1);
  }

  /** Keys and values, as text. */
  get pairs(): Record<string, string> {
    return pairsOf(this.last ?? []);
  }
}

export function pairsOf(entries: Iterable<Entry>): Record<string, string> {
  return Object.fromEntries([...entries].map(entry => [entry.key, text(entry)]));
}

/** The error that a call rejects with; fails where it resolves. */
export async function refused(call: Promise<unknown>): Promise<KvError> {
  try {
    await call;
  } catch (error) {
    if (KvError.is(error)) return error;
    throw error;
  }
  throw new Error('the call was not refused');
}
