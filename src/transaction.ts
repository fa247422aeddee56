/** Transactions: what users ask for, checked and mapped to what drivers carry out. */
import type { Scope } from './at.js';
import type { Core } from './core.js';
import type { Call, DriverCheck, DriverOp, FailedCheck, Grant, OpResult } from './driver.js';
import { type Entry, renamed, type Value } from './entry.js';
import { type Conflict, KvError } from './errors.js';
import type { Check, Lock, Op } from './interface.js';
import { byteLength } from './key.js';
import { checkKnown } from './known.js';
import { grantedTtl } from './ttl.js';
import { bytesOf, isBytes } from './value.js';

/** A put as the driver takes it. */
export function putOp(core: Core, scope: Scope, key: string, value: Value, ttl: number | 'keep' | undefined): DriverOp {
  const { capabilities, driver } = core;
  checkKeyLength(core, scope, key);
  const bytes = bytesOf(value, capabilities.maxValue, scope.seen(key));
  if (ttl === undefined) return { put: key, value: bytes };
  if (typeof ttl === 'string' && ttl !== 'keep')
    throw new KvError('invalid', 'a ttl is a number of ms or "keep"', { key: scope.seen(key) });
  return { put: key, value: bytes, ttl: ttl === 'keep' ? ttl : grantedTtl(ttl, capabilities, driver.name) };
}

/** A backend may hold less than a key may have, with a long root. */
export function checkKeyLength({ capabilities, driver }: Core, scope: Scope, key: string): void {
  // Three bytes a character at most: the common short key needs no counting.
  if (key.length * 3 <= capabilities.maxKey) return;
  const bytes = byteLength(key);
  if (bytes > capabilities.maxKey)
    throw new KvError('invalid', `a key of ${bytes} bytes is over ${driver.name}'s maximum of ${capabilities.maxKey}`, {
      key: scope.seen(key),
    });
}

/** The check of compare-and-set: the key is as it was read. */
export function entryCheck(scope: Scope, key: string, previous: Entry | undefined): DriverCheck {
  if (previous === undefined) return { key, entry: undefined };
  if (!isEntry(previous))
    throw new KvError('invalid', 'previous is an Entry as the store returned it, or undefined', { key: scope.seen(key) });
  if (scope.key(previous.key) !== key)
    throw new KvError('invalid', `previous is an entry of another key, "${previous.key}"`, { key: scope.seen(key) });
  return { key, entry: renamed(previous, key) };
}

/** What has been through JSON is none: it has no bigint and no bytes any more. */
function isEntry(previous: Entry): boolean {
  const { revision, created, value } = (previous ?? {}) as Partial<Entry>;
  return typeof revision === 'bigint' && typeof created === 'bigint' && isBytes(value);
}

const none: readonly DriverCheck[] = [];

/** The check of a fenced write: the lock is still ours. A lock known to be gone is a conflict without asking. */
export function lockCheck(core: Core, lock: Lock | undefined): readonly DriverCheck[] {
  if (lock === undefined) return none;
  const grant: Grant | undefined = typeof lock === 'object' && lock !== null ? core.grants.get(lock) : undefined;
  if (grant === undefined) throw new KvError('invalid', 'the lock is not one of this store', { backend: core.driver.name });
  if (!lock.held) throw lockGone(core, lock.key);
  return [{ held: grant }];
}

/** Commits, and makes `answer` of the results, and a `conflict` of a failed check. */
export function commit<T>(
  core: Core,
  scope: Scope,
  checks: readonly DriverCheck[],
  ops: readonly DriverOp[],
  call: Call,
  answer: (results: readonly OpResult[]) => T,
): Promise<T> {
  return core.driver.commit({ checks, ops }, call).then(outcome => {
    if (outcome.ok) return answer(outcome.results);
    throw conflict(core, scope, checks, outcome.failed);
  });
}

/** The entry that a put wrote, as the user sees it. */
export function written(scope: Scope, result: OpResult | undefined): Entry {
  if (result?.entry === undefined) throw new KvError('internal', 'the driver returned no entry for a put');
  return scope.entry(result.entry);
}

function conflict(core: Core, scope: Scope, checks: readonly DriverCheck[], failed: readonly FailedCheck[]): KvError {
  const held = new Set(checks.flatMap(check => ('held' in check ? [check.held.key] : [])));
  const keys = failed.filter(({ key }) => !held.has(key));
  const first = keys[0];
  if (first === undefined) return lockGone(core, undefined);
  const key = scope.seen(first.key);
  const known = keys.every(check => 'current' in check);
  const conflicts: Conflict[] = keys.map(({ key: at, current }) => ({ key: scope.seen(at), current: current && scope.entry(current) }));
  const message = keys.length === 1 ? `key "${key}" is not as it was expected` : `${keys.length} keys are not as they were expected`;
  return new KvError('conflict', message, { backend: core.driver.name, key, conflicts: known ? conflicts : undefined });
}

function lockGone(core: Core, key: string | undefined): KvError {
  const lock = key === undefined ? 'the lock' : `the lock "${key}"`;
  return new KvError('conflict', `${lock} is no longer held`, { backend: core.driver.name, key });
}

export interface Mapped {
  readonly checks: readonly DriverCheck[];
  readonly ops: readonly DriverOp[];
}

/** Checks a whole transaction at the door and maps it. */
export function mapTransaction(core: Core, scope: Scope, transaction: { checks?: readonly Check[]; ops: readonly Op[] }): Mapped {
  if (typeof transaction !== 'object' || transaction === null) throw new KvError('invalid', 'a transaction is { checks?, ops }');
  checkKnown(transaction, ['checks', 'ops'], 'transaction');
  const { checks = [], ops } = transaction;
  if (!Array.isArray(ops)) throw new KvError('invalid', 'ops is an array');
  if (!Array.isArray(checks)) throw new KvError('invalid', 'checks is an array');
  const mappedOps = ops.map(op => mapOp(core, scope, op));
  checkOverlap(scope, mappedOps);
  const mappedChecks = checks.flatMap(check => mapCheck(core, scope, check));
  checkTwice(
    scope,
    mappedChecks.flatMap(check => ('key' in check ? [check.key] : [])),
    'checked',
  );
  checkLimits(core, mappedChecks, mappedOps);
  return { checks: mappedChecks, ops: mappedOps };
}

function mapOp(core: Core, scope: Scope, op: Op): DriverOp {
  const kind = oneOf(op, ['put', 'delete', 'deleteTree'], 'an op');
  if (kind === 'put') {
    const { put, value, ttl } = op as Extract<Op, { put: string }>;
    checkKnown(op, ['put', 'value', 'ttl'], 'a put');
    return putOp(core, scope, scope.key(put), value, ttl);
  }
  checkKnown(op, [kind], `a ${kind}`);
  const mapped: DriverOp =
    kind === 'delete'
      ? { delete: scope.key((op as Extract<Op, { delete: string }>).delete) }
      : { deletePrefix: scope.prefix((op as Extract<Op, { deleteTree: string }>).deleteTree) };
  checkKeyLength(core, scope, keyOrPrefix(mapped));
  return mapped;
}

function mapCheck(core: Core, scope: Scope, check: Check): readonly DriverCheck[] {
  if (oneOf(check, ['key', 'lock'], 'a check') === 'lock') {
    checkKnown(check, ['lock'], 'a check');
    return lockCheck(core, (check as Extract<Check, { lock: Lock }>).lock);
  }
  checkKnown(check, ['key', 'entry'], 'a check');
  const { key, entry } = check as Extract<Check, { key: string }>;
  const name = scope.key(key);
  checkKeyLength(core, scope, name);
  return [entryCheck(scope, name, entry)];
}

/** Which one of its names an op or check has; naming none or two is a mistake that must not pass. */
function oneOf(item: object, names: readonly string[], noun: string): string {
  const found =
    typeof item === 'object' && item !== null ? names.filter(name => (item as Record<string, unknown>)[name] !== undefined) : [];
  const name = found[0];
  if (name === undefined) throw new KvError('invalid', `${noun} names one of ${names.join(', ')}`);
  if (found.length > 1) throw new KvError('invalid', `${noun} names one of ${names.join(', ')}, not ${found.join(' and ')}`);
  return name;
}

function checkOverlap(scope: Scope, ops: readonly DriverOp[]): void {
  checkTwice(scope, ops.map(keyOrPrefix), 'written');
  const prefixes = ops.flatMap(op => ('deletePrefix' in op ? [op.deletePrefix] : []));
  for (const prefix of prefixes)
    for (const op of ops) {
      const at = keyOrPrefix(op);
      if (at !== prefix && at.startsWith(prefix))
        throw new KvError('invalid', `"${scope.seen(at)}" lies inside the deleteTree of "${scope.seenDirectory(prefix)}"`);
    }
}

function checkTwice(scope: Scope, keys: readonly string[], how: string): void {
  const seen = new Set<string>();
  for (const key of keys) {
    const shown = scope.seen(key);
    if (seen.has(key)) throw new KvError('invalid', `key "${shown}" is ${how} twice in one transaction`, { key: shown });
    seen.add(key);
  }
}

function checkLimits({ capabilities, driver }: Core, checks: readonly DriverCheck[], ops: readonly DriverOp[]): void {
  const { atomic, maxOps, maxTransaction } = capabilities;
  const detail = { backend: driver.name };
  const count = checks.length + ops.length;
  if (count > maxOps)
    throw new KvError('invalid', `a transaction of ${count} checks and ops is over ${driver.name}'s maximum of ${maxOps}`, detail);
  let bytes = 0;
  for (const op of ops) bytes += byteLength(keyOrPrefix(op)) + ('put' in op ? op.value.length : 0);
  if (bytes > maxTransaction)
    throw new KvError('invalid', `a transaction of ${bytes} bytes is over ${driver.name}'s maximum of ${maxTransaction}`, detail);
  if (atomic !== 'key') return;
  const keys = new Set([...ops.map(keyOrPrefix), ...checks.flatMap(check => ('key' in check ? [check.key] : []))]);
  if (keys.size > 1 || ops.some(op => 'deletePrefix' in op))
    throw new KvError('unsupported', `${driver.name} has transactions of one key only`, detail);
}

function keyOrPrefix(op: DriverOp): string {
  return 'put' in op ? op.put : 'delete' in op ? op.delete : op.deletePrefix;
}
