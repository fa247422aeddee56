/** Locks for imperative code: acquired by a promise, given back by release(). */
import type { Subscription } from 'rxjs';
import type { Scope } from '../at.js';
import { checkSignal, closedError } from '../calls.js';
import type { Core } from '../core.js';
import { aborted } from '../deadline.js';
import { asKvError, KvError } from '../errors.js';
import type { CallOptions, HeldLock, Lock, LockOptions } from '../interface.js';
import { checkKnown } from '../known.js';
import { lock$ } from './lock.js';

/** As {@link Store.lock}. */
export function lock(core: Core, scope: Scope, key: string, options: LockOptions & CallOptions = {}): Promise<HeldLock> {
  return new Promise<HeldLock>((resolve, reject) => {
    checkKnown(options, ['ttl', 'value', 'wait', 'timeout', 'signal'], 'a lock');
    const { signal, ...asked } = options;
    if (signal !== undefined) checkSignal(signal);
    const detail = { backend: core.driver.name, key };
    if (signal?.aborted === true) {
      reject(aborted(signal, 'lock', detail));
      return;
    }
    if (core.closed) {
      reject(closedError(core.driver.name, 'lock'));
      return;
    }
    let settled = false;
    const settle = (): void => {
      settled = true;
      signal?.removeEventListener('abort', abort);
    };
    const abort = (): void => {
      subscription.unsubscribe();
      reject(aborted(signal, 'lock', detail));
    };
    // Once it is held, losing it is told by its own signal; settling the promise again does nothing.
    const subscription: Subscription = lock$(core, scope, key, asked).subscribe({
      next: held => {
        settle();
        resolve(new Held(core, held, () => subscription.unsubscribe()));
      },
      error: (error: unknown) => {
        settle();
        reject(asKvError(error, detail));
      },
      complete: () => {
        settle();
        reject(closedError(core.driver.name, 'lock'));
      },
    });
    if (!settled) signal?.addEventListener('abort', abort, { once: true });
  });
}

/** As {@link Store.withLock}. */
export async function withLock<T>(
  core: Core,
  scope: Scope,
  key: string,
  work: (lock: Lock) => Promise<T>,
  options: LockOptions & CallOptions = {},
): Promise<T> {
  if (typeof work !== 'function') throw new KvError('invalid', 'withLock needs a function to run');
  const held = await lock(core, scope, key, options);
  try {
    const result = await work(held);
    if (!held.held) throw lossOf(core, key, undefined);
    return result;
  } catch (error) {
    // What the work failed with may well be the loss itself.
    if (!held.held) throw lossOf(core, key, error);
    throw error;
  } finally {
    await held.release();
  }
}

function lossOf(core: Core, key: string, cause: unknown): KvError {
  if (core.closed) return closedError(core.driver.name, 'withLock');
  if (KvError.is(cause) && cause.code === 'lock-lost') return cause;
  return new KvError('lock-lost', `the lock "${key}" was lost while its work ran`, { backend: core.driver.name, key, cause });
}

/** A lock with its release. */
class Held implements HeldLock {
  readonly key: string;
  readonly fence: bigint;
  readonly signal: AbortSignal;
  private readonly core: Core;
  private readonly lock: Lock;
  private readonly leave: () => void;
  private releasing: Promise<void> | undefined;

  constructor(core: Core, lock: Lock, leave: () => void) {
    this.core = core;
    this.lock = lock;
    this.leave = leave;
    this.key = lock.key;
    this.fence = lock.fence;
    this.signal = lock.signal;
    const grant = core.grants.get(lock);
    if (grant !== undefined) core.grants.set(this, grant);
  }

  get held(): boolean {
    return this.lock.held;
  }

  release(): Promise<void> {
    this.releasing ??= this.core.endings.of(this.leave);
    return this.releasing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}
