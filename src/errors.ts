/** Errors: one class with a closed list of codes, recognised by a brand across copies of the package. */
import type { Entry } from './entry.js';

/**
 * What went wrong, in one word. `docs/errors.md` has a heading for each with its cause and remedy.
 */
export type KvErrorCode =
  | 'unavailable'
  | 'timeout'
  | 'overloaded'
  | 'session-lost'
  | 'lock-lost'
  | 'conflict'
  | 'denied'
  | 'invalid'
  | 'unsupported'
  | 'undecodable'
  | 'aborted'
  | 'closed'
  | 'internal';

/** A key whose check failed, and what stood there instead. */
export interface Conflict {
  readonly key: string;
  readonly current: Entry | undefined;
}

export interface KvErrorDetail {
  readonly backend?: string;
  readonly key?: string;
  readonly outcome?: 'unknown';
  readonly conflicts?: readonly Conflict[];
  readonly cause?: unknown;
}

const brand: unique symbol = Symbol.for('rxkv.KvError') as never;

const transientCodes: ReadonlySet<KvErrorCode> = new Set<KvErrorCode>([
  'unavailable',
  'timeout',
  'overloaded',
  'session-lost',
  'lock-lost',
]);

/**
 * The only error that a store rejects with or puts on a stream.
 *
 * `transient` says whether the same call or subscription may succeed later; `retryTransient()` goes by it.
 * `outcome: 'unknown'` marks a write whose answer never came: it may have been applied, and it is never sent
 * again on its own. `conflicts` lists the keys whose check failed, where the backend tells them.
 * No value, password or token is ever in `message`.
 *
 * Test with {@link KvError.is}, not `instanceof`: an application can hold both the ESM and the CommonJS copy.
 *
 * @example
 * try { await store.atomicPut('config/colour', 'blue', entry); }
 * catch (error) { if (KvError.is(error) && error.code === 'conflict') reload(error.conflicts); else throw error; }
 */
export class KvError extends Error {
  override readonly name: string = 'KvError';
  readonly code: KvErrorCode;
  readonly transient: boolean;
  declare readonly backend?: string;
  declare readonly key?: string;
  declare readonly outcome?: 'unknown';
  /** Missing where the backend does not tell what it found. */
  declare readonly conflicts?: readonly Conflict[];

  constructor(code: KvErrorCode, message: string, detail: KvErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.transient = transientCodes.has(code);
    if (detail.backend !== undefined) this.backend = detail.backend;
    if (detail.key !== undefined) this.key = detail.key;
    if (detail.outcome !== undefined) this.outcome = detail.outcome;
    if (detail.conflicts !== undefined) this.conflicts = detail.conflicts;
    Object.defineProperty(this, brand, { value: true });
  }

  /** For logs: the keys of `conflicts` without their entries, whose values are nobody's business and whose bigints JSON refuses. */
  toJSON(): object {
    const { name, code, message, transient, backend, key, outcome, conflicts } = this;
    return { name, code, message, transient, backend, key, outcome, conflicts: conflicts?.map(conflict => conflict.key) };
  }

  /** Whether `error` is a KvError of this or any other copy of the package. */
  static is(error: unknown): error is KvError {
    return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[brand] === true;
  }
}

/** The error as it is when it is a KvError, else wrapped as `internal` with the original as its cause. */
export function asKvError(error: unknown, detail: KvErrorDetail = {}): KvError {
  if (KvError.is(error)) return error;
  const kind = error instanceof Error ? error.name : typeof error;
  return new KvError('internal', `unexpected ${kind} (see cause)`, { ...detail, cause: error });
}

/** Shorthand for the error that every check at the door throws. */
export function invalid(message: string, detail: KvErrorDetail = {}): KvError {
  return new KvError('invalid', message, detail);
}
