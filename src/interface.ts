/// <reference lib="esnext.disposable" preserve="true" />
/** What users hold: the store, its options, and what it gives back. Types only. */
import type { Observable } from 'rxjs';
import type { Capabilities } from './capabilities.js';
import type { Health } from './driver.js';
import type { Child, Entry, Value } from './entry.js';
import type { KvError } from './errors.js';
import type { Logger } from './logger.js';
import type { Snapshot } from './snapshot.js';

export interface StoreOptions {
  /** ms for one round trip; 5000. More than 12 days, Infinity too, counts as that. */
  timeout?: number;
  /** ms that a networked feed may say nothing before it is an error; 10 000. More than 12 days counts as that. */
  silence?: number;
  /** ms that a shared watch outlives its last subscriber; the driver's, else 0 */
  linger?: number;
  /** Says nothing by default. */
  logger?: Logger;
}

export interface CallOptions {
  /** Aborting rejects with `aborted`; a write that was sent may still be applied (`outcome: 'unknown'`). */
  signal?: AbortSignal;
  /** ms for one round trip; the store's by default */
  timeout?: number;
}

export interface ReadOptions extends CallOptions {
  /** `stale` may be answered by a replica that lags; strong by default */
  consistency?: 'strong' | 'stale';
}

export interface ListOptions extends ReadOptions {
  /** How many segments below the directory; all by default */
  depth?: number;
}

export interface WriteOptions extends CallOptions {
  /** ms; none: permanent, also where the key had a ttl; `keep`: what it had */
  ttl?: number | 'keep';
  /** Refused with `conflict` once that lock is gone. */
  lock?: Lock;
}

export interface DeleteOptions extends CallOptions {
  /** Refused with `conflict` once that lock is gone. */
  lock?: Lock;
}

export interface LockOptions {
  /** ms that the backend waits for a renewal before it gives the lock away; 15 000 */
  ttl?: number;
  /** What others see of the holder, for instance in leader$. */
  value?: Value;
  /** ms in the queue, then `conflict`; 0 is one try; for ever by default */
  wait?: number;
}

/** A lock while it is ours. */
export interface Lock {
  readonly key: string;
  /** Grows from holder to holder: hand it to whatever must refuse a holder of the past. */
  readonly fence: bigint;
  /** Compared with the deadline whenever it is read, so that it is right also just after a pause. */
  readonly held: boolean;
  /** Aborted before any notification of loss, at release, and at close. */
  readonly signal: AbortSignal;
}

/** A lock held by imperative code: `await using lock = await store.lock('job')`. */
export interface HeldLock extends Lock, AsyncDisposable {
  /** Gives the lock back; resolves when others can have it. Again is harmless. */
  release(): Promise<void>;
}

export type Leadership = { readonly leading: false } | { readonly leading: true; readonly fence: bigint; readonly lock: Lock };

export interface Leader {
  readonly id: string;
  readonly fence: bigint;
}

export interface ElectOptions {
  /** What leader$ shows of us. */
  id: string;
  /** As in {@link LockOptions}. */
  ttl?: number;
}

/** A key that is as `entry` says (undefined: absent), or a lock that is still ours. */
export type Check = { key: string; entry: Entry | undefined } | { lock: Lock };

export type Op = { put: string; value: Value; ttl?: number | 'keep' } | { delete: string } | { deleteTree: string };

/** How the last call or feed went. */
export interface Status {
  readonly state: 'idle' | 'connecting' | 'live' | 'stale' | 'closed';
  /** epoch ms */
  readonly since: number;
  readonly error?: KvError;
}

/**
 * One interface to every backend.
 *
 * Promise methods always reject and `$` methods always error on subscription; only factories, `createStore`
 * and `at()` throw. Every `$` is cold, emits the current state first, never completes except at `close()`,
 * and stops at once when unsubscribed. Errors are {@link KvError}s. `docs/guarantees.md` is the whole contract.
 */
export interface Store extends AsyncDisposable {
  readonly backend: string;
  readonly capabilities: Capabilities;
  /** The client underneath, for what we do not cover; undefined before first use. */
  readonly native: unknown;
  /** Connected and authorised, or the error: for a start that fails fast. May narrow `capabilities`. */
  ready(options?: CallOptions): Promise<void>;

  /** The entry, or undefined where there is none: absence is never an error. */
  get(key: string, options?: ReadOptions): Promise<Entry | undefined>;
  exists(key: string, options?: ReadOptions): Promise<boolean>;
  /** All keys below the directory, or those down to `depth` segments; an absent directory is an empty snapshot. */
  list(directory: string, options?: ListOptions): Promise<Snapshot>;
  /** One level: the keys and the directories directly below, ordered by name. */
  children(directory: string, options?: ReadOptions): Promise<Child[]>;
  /**
   * Writes the key, whatever it was. Without `ttl` the key is permanent, also where it had a ttl.
   *
   * @example await store.put('session/42', 'alice', { ttl: 30_000 });
   */
  put(key: string, value: Value, options?: WriteOptions): Promise<Entry>;
  /** Whether there was something to delete. */
  delete(key: string, options?: DeleteOptions): Promise<boolean>;
  /** Deletes all keys below the directory: `deleteTree('a')` concerns `a/...`, never `a` itself or `ab`. */
  deleteTree(directory: string, options?: DeleteOptions): Promise<void>;
  /** Writes only if the key is still as `previous` (undefined: absent), else `conflict`. Returned entries chain. */
  atomicPut(key: string, value: Value, previous: Entry | undefined, options?: WriteOptions): Promise<Entry>;
  /** Deletes only if the key is still as `previous`, else `conflict`. */
  atomicDelete(key: string, previous: Entry, options?: DeleteOptions): Promise<void>;
  /**
   * Reads, asks `change` for the new value, and writes by compare-and-set; again, with backing off, while
   * others come in between and `timeout` has not passed. `change` may run several times. undefined leaves the
   * key as it is, equal bytes write nothing. A write of unknown outcome is thrown, never repeated; what `change` throws
   * is passed on as it is.
   *
   * @example await store.update('hits', current => String(Number(text(current) ?? 0) + 1));
   */
  update(
    key: string,
    change: (current: Entry | undefined) => Value | undefined | Promise<Value | undefined>,
    options?: WriteOptions,
  ): Promise<Entry | undefined>;
  /**
   * All or nothing; one result for each op: the entry of a put, undefined of a delete. A failed check is
   * `conflict`. Each key at most once, and no op inside a deleteTree of the same transaction.
   */
  transaction(transaction: { checks?: readonly Check[]; ops: readonly Op[] }, options?: CallOptions): Promise<(Entry | undefined)[]>;

  /** The entry as it is and as it changes; undefined while absent. */
  watch$(key: string): Observable<Entry | undefined>;
  /** The directory as it is and as it changes, each time whole; the same object where nothing changed. */
  watchTree$(directory: string, options?: { depth?: number }): Observable<Snapshot>;
  /**
   * The key lives while subscribed. Emits the entry once; errors `session-lost` when the key is gone or
   * somebody else's. The last registration of a key wins; ending one never deletes another's.
   *
   * @param options.ttl ms that the key outlives a process that dies
   */
  keepAlive$(key: string, value: Value, options: { ttl: number }): Observable<Entry>;
  /**
   * Emits once when the lock is ours, then stays silent while it is held.
   *
   * Unsubscribing leaves the queue, or releases. Errors with `lock-lost` no later than the backend can grant
   * the lock to another (guarantee 5), `session-lost` while waiting, `conflict` when `wait` ran out.
   * At close() the lock's signal aborts and the stream completes.
   *
   * `firstValueFrom(store.lock$(key))` acquires and at once releases: use {@link Store.lock}.
   *
   * @example
   * store.lock$('backup').pipe(whileHeld(() => backup$), retryTransient()).subscribe();
   */
  lock$(key: string, options?: LockOptions): Observable<Lock>;
  /**
   * Resolves when the lock is ours; rejects like lock$ errors, `aborted` and `closed` besides.
   *
   * @example
   * await using lock = await store.lock('job');
   * await store.put('job/owner', 'me', { lock });
   */
  lock(key: string, options?: LockOptions & CallOptions): Promise<HeldLock>;
  /**
   * Acquires, works, releases. When the lock is lost its signal aborts, the promise waits for `work` to settle,
   * and then rejects `lock-lost`.
   */
  withLock<T>(key: string, work: (lock: Lock) => Promise<T>, options?: LockOptions & CallOptions): Promise<T>;
  /**
   * Campaigns for leadership. Emits `{ leading: false }` first, before every error and before completing;
   * `{ leading: true, fence, lock }` when elected. Retry after whileLeading, never before it.
   *
   * @example
   * store.elect$('scheduler', { id: hostname() }).pipe(whileLeading(() => runSchedule$), retryTransient()).subscribe();
   */
  elect$(key: string, options: ElectOptions): Observable<Leadership>;
  /** Who leads now; undefined while nobody does. A plain lock$ shows here with its `value` as id. */
  leader$(key: string): Observable<Leader | undefined>;
  health(options?: CallOptions): Promise<Health>;
  /** Of the last call or feed; the current status first. */
  readonly status$: Observable<Status>;

  /** The same store seen from a directory: keys go in and come out relative to it. Closing a view closes nothing. */
  at(directory: string): Store;
  /** Completes every `$`, ends locks and sessions, settles within `timeout`. Again is harmless. */
  close(): Promise<void>;
}
