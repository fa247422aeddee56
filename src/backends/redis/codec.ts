/** Writes of ours as the script takes them, and its answers as ours. */
import type { DriverCheck, DriverOp, DriverTransaction, FailedCheck, OpResult, Outcome } from '../../driver.js';
import type { Entry } from '../../entry.js';
import { KvError } from '../../errors.js';
import type { Argument, Reply } from './client.js';
import { backend, errorOf, failureOf } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { sumOf } from './scripts.js';

/** PTTL as scripts give it, where it is no time. */
export const noKey = -2;
export const noString = -3;
export const deeper = -4;

/** What a script is given: names, and the rest. */
export interface Parts {
  readonly keys: string[];
  readonly args: Argument[];
}

/** @param parts  what the transaction is added to */
export function encode(keyspace: Keyspace, { checks, ops }: DriverTransaction, { keys, args }: Parts): void {
  args.push(checks.length);
  for (const check of checks) {
    const held = 'held' in check;
    keys.push(...keyspace.pair(keyOf(check)));
    if (held) args.push('held', String(check.held.fence));
    else if (check.entry === undefined) args.push('absent');
    else args.push('same', String(check.entry.revision), sumOf(check.entry.value));
  }
  args.push(ops.length);
  for (const op of ops) {
    if ('deletePrefix' in op) {
      keys.push(keyspace.own);
      args.push('tree', keyspace.pattern(op.deletePrefix), op.deletePrefix);
    } else if ('delete' in op) {
      keys.push(...keyspace.pair(op.delete));
      args.push('delete');
    } else encodePut(keyspace, op, { keys, args });
  }
}

function encodePut(keyspace: Keyspace, { put, value, ttl, session }: Extract<DriverOp, { put: string }>, { keys, args }: Parts): void {
  keys.push(...keyspace.pair(put));
  args.push('put', Buffer.from(value.buffer, value.byteOffset, value.length));
  if (session === undefined) args.push(ttl ?? '', '');
  // As long as the session has left, where the script can see it.
  else if (keyspace.oneSlot) {
    keys.push(keyspace.session(session.id));
    args.push('', session.id);
  } else args.push(session.ttl, session.id);
}

export function keyOf(check: DriverCheck): string {
  return 'held' in check ? check.held.key : check.key;
}

/** The outcome, or the error of that write alone. */
export function decode({ checks, ops }: DriverTransaction, answer: Reply): Outcome | KvError {
  const [kind, ...rest] = answer as readonly Reply[];
  if (kind === 0) return { ok: true, results: ops.map((op, i) => resultOf(op, rest[i] as Reply)) };
  if (kind === 1) return { ok: false, failed: rest.map(failed => failedOf(checks, failed as readonly Reply[])) };
  if (kind === 2) return new KvError('session-lost', 'the session that the key is bound to has ended', { backend });
  return errorOf(failureOf(new Error(String(rest[0]))));
}

/** Of a put alone: what its companion holds now. */
export function decodePut({ ops }: DriverTransaction, meta: Reply): Outcome | KvError {
  if (meta === null) return errorOf(failureOf(new Error('WRONGTYPE')));
  return { ok: true, results: [resultOf(ops[0] as DriverOp, meta)] };
}

function resultOf(op: DriverOp, result: Reply): OpResult {
  if (!('put' in op)) return { existed: (result as number) > 0 };
  const meta = (result as Buffer).toString('latin1');
  return { entry: { key: op.put, value: op.value, ...writesOf(meta), leased: meta.split(' ')[2] === '1' } };
}

function failedOf(checks: readonly DriverCheck[], [at, value, meta, left]: readonly Reply[]): FailedCheck {
  const check = checks[(at as number) - 1];
  if (check === undefined) throw new KvError('internal', 'Redis refused a check that was not made', { backend });
  const key = keyOf(check);
  const found = value as Buffer | null;
  return found === null ? { key, current: undefined } : { key, current: entryOf(key, found, meta as Buffer | null, left as number) };
}

/** @param meta  what its companion holds; null for a key that others wrote, which has no revision */
export function entryOf(key: string, value: Buffer, meta: Buffer | null, left: number): Entry {
  const { revision, created } = meta === null ? unwritten : writesOf(meta.toString('latin1'));
  // A copy: what was received is a slice of more, which one small value would keep in memory.
  return { key, value: new Uint8Array(value), revision, created, leased: left >= 0 };
}

const unwritten = { revision: 0n, created: 0n };

/** What a companion says; one that others have spoilt says nothing. */
function writesOf(meta: string): { readonly revision: bigint; readonly created: bigint } {
  const match = /^(\d+) (\d+)/.exec(meta);
  if (match === null) return unwritten;
  const revision = BigInt(match[1] as string);
  // Most keys are written once.
  return { revision, created: match[1] === match[2] ? revision : BigInt(match[2] as string) };
}
