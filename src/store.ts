/** The store: what users hold. A facade over the core of one store, seen from one directory. */
import { defer, type Observable } from 'rxjs';
import { Scope } from './at.js';
import { asking, checkDuration, closedError, reading, writing } from './calls.js';
import type { Capabilities } from './capabilities.js';
import { Core } from './core.js';
import type { Call, Driver, Health } from './driver.js';
import type { Child, Entry, Value } from './entry.js';
import { KvError } from './errors.js';
import type {
  CallOptions,
  DeleteOptions,
  ElectOptions,
  HeldLock,
  Leader,
  Leadership,
  ListOptions,
  Lock,
  LockOptions,
  ReadOptions,
  Status,
  Store,
  StoreOptions,
  WriteOptions,
} from './interface.js';
import { checkKnown } from './known.js';
import { checkLogger } from './logger.js';
import { elect$ } from './recipes/elect.js';
import { lock, withLock } from './recipes/held-lock.js';
import { keepAlive$ } from './recipes/keep-alive.js';
import { leader$ } from './recipes/leader.js';
import { lock$ } from './recipes/lock.js';
import { type ChangeValue, Thrown, update } from './recipes/update.js';
import { type Snapshot, snapshotOf } from './snapshot.js';
import { checkKeyLength, commit, entryCheck, lockCheck, mapTransaction, putOp, written } from './transaction.js';
import { keptOf } from './value.js';

const taken: unique symbol = Symbol.for('rxkv.driver.taken') as never;

const kinds = {
  ready: asking('ready'),
  get: reading('get'),
  exists: reading('exists'),
  list: reading('list', ['depth']),
  children: reading('children'),
  put: writing('put', ['ttl', 'lock']),
  delete: writing('delete', ['lock']),
  deleteTree: writing('deleteTree', ['lock']),
  atomicPut: writing('atomicPut', ['ttl', 'lock']),
  atomicDelete: writing('atomicDelete', ['lock']),
  update: writing('update', ['ttl', 'lock']),
  transaction: writing('transaction'),
  health: asking('health'),
} as const;

/**
 * A store on a driver. No I/O: it connects when first used; `ready()` is for those who want to know at once.
 *
 * A driver belongs to one store. Close the store to let the process exit where a watch or lock is still live.
 *
 * @throws KvError `invalid` for a driver that already has a store, or an option that is wrong or unknown
 * @example
 * const store = createStore(memory());
 * await store.put('config/colour', 'blue');
 */
export function createStore(driver: Driver, options: StoreOptions = {}): Store {
  if (typeof driver?.commit !== 'function') throw new KvError('invalid', 'createStore needs a driver, such as memory() or lmdb({ path })');
  checkKnown(options, ['timeout', 'silence', 'linger', 'logger'], 'createStore');
  const { timeout, silence, linger, logger } = options;
  if (timeout !== undefined) checkDuration(timeout, 'timeout');
  if (silence !== undefined) checkDuration(silence, 'silence');
  if (linger !== undefined && !(typeof linger === 'number' && linger >= 0))
    throw new KvError('invalid', 'linger is a number of ms, 0 for none');
  if (logger !== undefined) checkLogger(logger);
  if (Object.hasOwn(driver, taken)) throw new KvError('invalid', `this ${driver.name} driver already has a store: make a second driver`);
  if (Object.isExtensible(driver)) Object.defineProperty(driver, taken, { value: true });
  return new StoreView(new Core(driver, options), new Scope(''));
}

class StoreView implements Store {
  private readonly core: Core;
  private readonly scope: Scope;

  constructor(core: Core, scope: Scope) {
    this.core = core;
    this.scope = scope;
  }

  get backend(): string {
    return this.core.driver.name;
  }

  get capabilities(): Capabilities {
    return this.core.capabilities;
  }

  get native(): unknown {
    return this.core.driver.native;
  }

  get status$(): Observable<Status> {
    return this.core.status.status$;
  }

  ready(options?: CallOptions): Promise<void> {
    return this.core.calls.run(kinds.ready, options, async call => {
      this.core.capabilities = await this.core.driver.ready(call);
    });
  }

  get(key: string, options?: ReadOptions): Promise<Entry | undefined> {
    const { core, scope } = this;
    return core.calls.run(kinds.get, options, call =>
      core.driver.list({ key: this.keyOf(key) }, read(call, options)).then(({ entries }) => entries[0] && scope.entry(entries[0])),
    );
  }

  exists(key: string, options?: ReadOptions): Promise<boolean> {
    const { core } = this;
    return core.calls.run(kinds.exists, options, call =>
      core.driver.list({ key: this.keyOf(key), values: false }, read(call, options)).then(({ entries }) => entries.length > 0),
    );
  }

  list(directory: string, options?: ListOptions): Promise<Snapshot> {
    const { core, scope } = this;
    return core.calls.run(kinds.list, options, async call => {
      const prefix = this.prefixOf(directory);
      const { entries, revision } = await core.driver.list({ prefix, ...depthOf(options?.depth) }, read(call, options));
      return snapshotOf(scope.seenDirectory(prefix), scope.base === '' ? entries : entries.map(entry => scope.entry(entry)), revision);
    });
  }

  children(directory: string, options?: ReadOptions): Promise<Child[]> {
    const { core, scope } = this;
    return core.calls.run(kinds.children, options, async call => {
      const prefix = this.prefixOf(directory);
      const { entries, directories = [] } = await core.driver.list({ prefix, depth: 1 }, read(call, options));
      const found = new Map<string, Child>();
      const child = (key: string, more: { directory: boolean; entry?: Entry }): void => {
        found.set(key, { name: key.slice(prefix.length), key: scope.seen(key), ...more });
      };
      for (const entry of entries) child(entry.key, { directory: false, entry: scope.entry(entry) });
      for (const key of directories) {
        const entry = found.get(key)?.entry;
        child(key, { directory: true, ...(entry === undefined ? {} : { entry }) });
      }
      return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    });
  }

  put(key: string, value: Value, options?: WriteOptions): Promise<Entry> {
    const { core, scope } = this;
    return core.calls.run(kinds.put, options, call => {
      const op = putOp(core, scope, scope.key(key), value, options?.ttl);
      return commit(core, scope, lockCheck(core, options?.lock), [op], call, results => written(scope, results[0]));
    });
  }

  delete(key: string, options?: DeleteOptions): Promise<boolean> {
    const { core, scope } = this;
    return core.calls.run(kinds.delete, options, call =>
      commit(core, scope, lockCheck(core, options?.lock), [{ delete: this.keyOf(key) }], call, results => results[0]?.existed === true),
    );
  }

  deleteTree(directory: string, options?: DeleteOptions): Promise<void> {
    const { core, scope } = this;
    return core.calls.run(kinds.deleteTree, options, call =>
      commit(core, scope, lockCheck(core, options?.lock), [{ deletePrefix: this.prefixOf(directory) }], call, () => {}),
    );
  }

  atomicPut(key: string, value: Value, previous: Entry | undefined, options?: WriteOptions): Promise<Entry> {
    const { core, scope } = this;
    return core.calls.run(kinds.atomicPut, options, call => {
      const name = scope.key(key);
      const checks = [entryCheck(scope, name, previous), ...lockCheck(core, options?.lock)];
      return commit(core, scope, checks, [putOp(core, scope, name, value, options?.ttl)], call, results => written(scope, results[0]));
    });
  }

  atomicDelete(key: string, previous: Entry, options?: DeleteOptions): Promise<void> {
    const { core, scope } = this;
    return core.calls.run(kinds.atomicDelete, options, call => {
      const name = this.keyOf(key);
      if (previous === undefined) throw new KvError('invalid', 'atomicDelete needs the entry as it was read', { key });
      const checks = [entryCheck(scope, name, previous), ...lockCheck(core, options?.lock)];
      return commit(core, scope, checks, [{ delete: name }], call, () => {});
    });
  }

  async update(key: string, change: ChangeValue, options: WriteOptions = {}): Promise<Entry | undefined> {
    const { core, scope } = this;
    const outcome = await core.calls.run(kinds.update, options, call => update(core, scope, key, change, options, call));
    if (outcome instanceof Thrown) throw outcome.error;
    return outcome;
  }

  transaction(...[transaction, options]: Parameters<Store['transaction']>): Promise<(Entry | undefined)[]> {
    const { core, scope } = this;
    return core.calls.run(kinds.transaction, options, async call => {
      const { checks, ops } = mapTransaction(core, scope, transaction);
      if (checks.length + ops.length === 0) return [];
      return commit(core, scope, checks, ops, call, results => ops.map((op, i) => ('put' in op ? written(scope, results[i]) : undefined)));
    });
  }

  watch$(key: string): Observable<Entry | undefined> {
    return this.live('watch$', () => this.core.watches.key$(this.keyOf(key), entry => this.scope.entry(entry)));
  }

  watchTree$(directory: string, options?: { depth?: number }): Observable<Snapshot> {
    const { core, scope } = this;
    return this.live('watchTree$', () => {
      if (options !== undefined) checkKnown(options, ['depth'], 'watchTree$');
      const prefix = this.prefixOf(directory);
      return core.watches.tree$(prefix, { directory: scope.seenDirectory(prefix), strip: scope.base.length, ...depthOf(options?.depth) });
    });
  }

  keepAlive$(key: string, value: Value, options: { ttl: number }): Observable<Entry> {
    const kept = keptOf(value);
    return this.live('keepAlive$', () => keepAlive$(this.core, this.scope, key, kept, options));
  }

  lock$(key: string, options?: LockOptions): Observable<Lock> {
    return lock$(this.core, this.scope, key, options);
  }

  lock(key: string, options?: LockOptions & CallOptions): Promise<HeldLock> {
    return lock(this.core, this.scope, key, options);
  }

  withLock<T>(key: string, work: (lock: Lock) => Promise<T>, options?: LockOptions & CallOptions): Promise<T> {
    return withLock(this.core, this.scope, key, work, options);
  }

  elect$(key: string, options: ElectOptions): Observable<Leadership> {
    return elect$(this.core, this.scope, key, options);
  }

  leader$(key: string): Observable<Leader | undefined> {
    return this.live('leader$', () => leader$(this.core, this.scope, key));
  }

  health(options?: CallOptions): Promise<Health> {
    return this.core.calls.run(kinds.health, options, call => this.core.driver.health(call));
  }

  at(directory: string): Store {
    return new View(this.core, this.scope.at(directory));
  }

  close(): Promise<void> {
    return this.core.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private keyOf(key: string): string {
    const name = this.scope.key(key);
    checkKeyLength(this.core, this.scope, name);
    return name;
  }

  private prefixOf(directory: string): string {
    const prefix = this.scope.prefix(directory);
    checkKeyLength(this.core, this.scope, prefix);
    return prefix;
  }

  /** What a subscription does first: errors are told on the stream, and a closed store says so. */
  private live<T>(what: string, make: () => Observable<T>): Observable<T> {
    const { core } = this;
    return defer(() => {
      if (core.closed) throw closedError(core.driver.name, what);
      return make();
    });
  }
}

/** A store seen from a directory: closing it closes nothing. */
class View extends StoreView {
  override close(): Promise<void> {
    return Promise.resolve();
  }
}

function read(call: Call, options: ReadOptions | undefined): Call & { consistency: 'strong' | 'stale' } {
  // Not spread: it is on the way of every read.
  const { timeout, signal } = call;
  const consistency = options?.consistency ?? 'strong';
  return signal === undefined ? { timeout, consistency } : { timeout, signal, consistency };
}

function depthOf(depth: number | undefined): { depth?: number } {
  if (depth === undefined) return {};
  if (!Number.isInteger(depth) || depth < 1) throw new KvError('invalid', 'depth is a whole number of segments, 1 or more');
  return { depth };
}
