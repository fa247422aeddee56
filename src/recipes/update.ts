/** The update recipe: read, change, compare-and-set, and again while others come in between. */
import type { Scope } from '../at.js';
import type { Core } from '../core.js';
import { aborted } from '../deadline.js';
import type { Call } from '../driver.js';
import { type Entry, sameBytes, type Value } from '../entry.js';
import { KvError } from '../errors.js';
import type { WriteOptions } from '../interface.js';
import { commit, entryCheck, lockCheck, putOp, written } from '../transaction.js';
import { bytesOf } from '../value.js';

export type ChangeValue = (current: Entry | undefined) => Value | undefined | Promise<Value | undefined>;

/** What the caller's own function threw, which is no failure of the store. */
export class Thrown {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** As {@link Store.update}, but resolves with what `change` threw. */
export async function update(
  core: Core,
  scope: Scope,
  key: string,
  change: ChangeValue,
  options: WriteOptions,
  call: Call,
): Promise<Entry | Thrown | undefined> {
  if (typeof change !== 'function')
    throw new KvError('invalid', 'update needs a function from the current entry to the new value', { key });
  const name = scope.key(key);
  lockCheck(core, options.lock);
  // What is wrong with it is told before anything is read.
  putOp(core, scope, name, '', options.ttl);
  const started = performance.now();
  let current = await read(core, scope, name, call);
  for (let attempt = 1; ; attempt++) {
    let value: Value | undefined;
    try {
      value = await change(current);
    } catch (error) {
      return new Thrown(error);
    }
    // The caller has been told; nothing may be written after that.
    if (call.signal?.aborted === true) throw aborted(call.signal, 'update', { key });
    if (value === undefined) return current;
    const bytes = bytesOf(value, core.capabilities.maxValue, key);
    if (current !== undefined && sameBytes(current.value, bytes)) return current;
    try {
      const checks = [entryCheck(scope, name, current), ...lockCheck(core, options.lock)];
      return await commit(core, scope, checks, [putOp(core, scope, name, bytes, options.ttl)], call, results => written(scope, results[0]));
    } catch (error) {
      // A conflict without a key of ours is a lock that is gone.
      if (!KvError.is(error) || error.code !== 'conflict' || error.key !== scope.seen(name)) throw error;
      if (performance.now() - started > call.timeout) throw error;
      await backOff(attempt, call.signal);
      const told = error.conflicts?.[0];
      current = told === undefined || attempt > 1 ? await read(core, scope, name, call) : told.current;
    }
  }
}

async function read(core: Core, scope: Scope, name: string, call: Call): Promise<Entry | undefined> {
  const { entries } = await core.driver.list({ key: name }, { ...call, consistency: 'strong' });
  const entry = entries[0];
  return entry && scope.entry(entry);
}

/** Full jitter below a bound that doubles: contenders that met once do not meet again in step. */
function backOff(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  if (attempt === 1 || signal?.aborted === true) return Promise.resolve();
  return new Promise(resolve => {
    setTimeout(resolve, Math.random() * Math.min(100, 2 ** attempt));
  });
}
