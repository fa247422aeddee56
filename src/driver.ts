/**
 * A driver: how one backend reads, commits, tells its news, and keeps a session. All else is portable.
 *
 * Keys here are normalised and relative to the root; the driver adds the root and encodes what its server
 * refuses. A driver throws KvError only; the store wraps anything else as `internal`. A list, feed or
 * deletePrefix of a prefix outside `~rxkv/` leaves `~rxkv/` out; one inside it sees it.
 *
 * Application code uses `createStore`; `docs/writing-a-driver.md` walks through a complete small driver.
 */
import type { Observable } from 'rxjs';
import type { Capabilities } from './capabilities.js';
import type { Entry } from './entry.js';
import type { KvError } from './errors.js';
import type { Logger } from './logger.js';

/** One key, or all keys below a prefix, which ends in '/' or is '' for everything. */
export type Range = { readonly key: string } | { readonly prefix: string };

/** `timeout` is ms for each round trip. */
export interface Call {
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

export interface ListQuery {
  /** How many segments below the prefix are wanted; all of them by default. */
  readonly depth?: number;
  /** `false`: the values are not looked at and may be empty. */
  readonly values?: boolean;
}

export interface Listing {
  readonly entries: readonly Entry[];
  /** With `depth`: the directories at that depth that hold deeper keys. */
  readonly directories?: readonly string[];
  readonly revision: bigint;
}

export type DriverOp =
  | { readonly put: string; readonly value: Uint8Array<ArrayBuffer>; readonly ttl?: number | 'keep'; readonly session?: Session }
  | { readonly delete: string }
  | { readonly deletePrefix: string };

/** A key that is as `entry` says (undefined: absent), or a lock that is still ours. */
export type DriverCheck = { readonly key: string; readonly entry: Entry | undefined } | { readonly held: Grant };

/** All checks and ops at once, in one atomic step where there is more than one. */
export interface DriverTransaction {
  readonly checks: readonly DriverCheck[];
  readonly ops: readonly DriverOp[];
}

export interface OpResult {
  /** What a put wrote. */
  readonly entry?: Entry;
  /** Whether a delete found something. */
  readonly existed?: boolean;
}

/** `current` is left out where the backend does not tell; as undefined it says that the key is absent. */
export interface FailedCheck {
  readonly key: string;
  readonly current?: Entry;
}

export type Outcome =
  | { readonly ok: true; readonly results: readonly OpResult[] }
  | { readonly ok: false; readonly failed: readonly FailedCheck[] };

export type Change =
  | { readonly put: Entry }
  | { readonly delete: string }
  | { readonly replace: string; readonly entries: readonly Entry[] };

/**
 * What a feed says: the complete state; an atomic batch of later changes; or that it is alive, well within
 * `silence`, also while the first reset loads. A driver that resumes with no news says mark at once.
 */
export type Feed =
  | { readonly type: 'reset'; readonly entries: readonly Entry[]; readonly revision: bigint }
  | { readonly type: 'patch'; readonly changes: readonly Change[]; readonly revision: bigint }
  | { readonly type: 'mark'; readonly revision?: bigint };

/** What keys can be bound to: they go when it ends. `ttl` is the one granted, in ms. */
export interface Session {
  readonly id: string;
  readonly ttl: number;
  /** ms until the backend may end the session unless it is renewed; 0 or less once that time has come. */
  remaining(): number;
}

/** A lock as a driver holds it: `key` is the contender's own record, `fence` grows from grant to grant. */
export interface Grant {
  readonly key: string;
  readonly fence: bigint;
  readonly session: Session;
}

/** Who holds a lock: the value of the record at the head of its queue. */
export interface Holder {
  readonly value: Uint8Array<ArrayBuffer>;
  readonly fence: bigint;
}

export interface Health {
  readonly ok: boolean;
  /** ms of one round trip. */
  readonly latency: number;
  readonly endpoint?: string;
  readonly leader?: string;
  readonly members?: readonly string[];
  readonly warnings: readonly string[];
  readonly error?: KvError;
}

export interface DriverContext {
  /** ms for one round trip. */
  readonly timeout: number;
  /** ms that a feed may say nothing. */
  readonly silence: number;
  readonly logger: Logger;
  /**
   * For what a teardown starts and cannot wait for (a release, the end of a session): `release()` of a lock
   * and `close()` wait for it. It must not reject.
   */
  readonly ending: (work: Promise<void>) => void;
}

export interface Driver {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** The client underneath; undefined before first use. */
  readonly native?: unknown;
  /** ms that a shared watch outlives its last subscriber, where dropping and taking it again is dear. */
  readonly linger?: number;
  /** No network between us and the data: feeds need no silence timer. */
  readonly local?: boolean;
  /** Called once, by createStore, before anything else; no I/O. */
  start(context: DriverContext): void;
  /** Connected and authorised, or the error. The capabilities may be narrower than those declared. */
  ready(call: Call): Promise<Capabilities>;
  list(range: Range & ListQuery, call: Call & { readonly consistency: 'strong' | 'stale' }): Promise<Listing>;
  commit(transaction: DriverTransaction, call: Call): Promise<Outcome>;
  /**
   * Cold; never completes. A cut is mended (resumed, or told as reset) or, at the latest after `silence`, an error.
   *
   * @param since the last revision that this range's feed said, marks included
   */
  feed$(range: Range, since?: bigint): Observable<Feed>;
  /**
   * Emits once when the session is live; errors `session-lost` before the backend can end it (guarantee 5);
   * unsubscribing ends it, with the keys that are still its own.
   */
  session$(ttl: number): Observable<Session>;
  /**
   * A native lock queue; the portable one of `queue.ts` is used otherwise. `key` is the queue's directory
   * below `~rxkv/`. Unsubscribing withdraws or releases.
   *
   * @param behind called when the contender finds itself behind another, so that one try can end at once
   */
  acquire$?(session: Session, key: string, value: Uint8Array<ArrayBuffer>, behind?: () => void): Observable<Grant>;
  /** The head of a lock's queue. Errors once nothing was heard for `silence`: it says no marks by which the store could tell. */
  holder$?(key: string): Observable<Holder | undefined>;
  health(call: Call): Promise<Health>;
  /** Settles within `timeout`; what could not be released lapses. */
  close(): Promise<void>;
}
