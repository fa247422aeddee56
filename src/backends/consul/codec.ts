/** Transactions of ours as Consul's, and its answers as ours. */
import type { DriverCheck, DriverOp, FailedCheck, OpResult } from '../../driver.js';
import type { Entry } from '../../entry.js';
import { KvError } from '../../errors.js';
import { backend, errorOf, wordsOf } from './errors.js';
import { type Keyspace, otherFlags, written } from './keyspace.js';
import type { KvPair, Step, TxnAnswer } from './wire.js';

export type Put = Extract<DriverOp, { put: string }>;

/** An op with what is known of it when it is sent. */
export interface KnownOp {
  readonly op: DriverOp;
  /** The session that its key is to be bound to. */
  readonly session?: string;
  /** A deletion whose key was not there: it is sent as the check that it still is not. */
  absent: boolean;
}

/** A step, and what of the transaction it is for. */
export interface PlannedStep extends Step {
  readonly check?: number;
  readonly op?: number;
}

export interface Plan {
  readonly checks: readonly DriverCheck[];
  readonly ops: readonly KnownOp[];
  readonly steps: readonly PlannedStep[];
}

/** What a refused transaction comes to. */
export type Refusal =
  | { readonly type: 'failed'; readonly failed: readonly FailedCheck[] }
  | { readonly type: 'error'; readonly error: KvError }
  /** Deletions found their key gone, or there again: it can be sent as it is known now. */
  | { readonly type: 'again' };

type EntryCheck = Extract<DriverCheck, { key: string }>;

/** A check and its place in the transaction. */
interface Placed {
  readonly check: EntryCheck;
  readonly at: number;
}

export function planOf(keyspace: Keyspace, checks: readonly DriverCheck[], ops: readonly KnownOp[]): Plan {
  const held: PlannedStep[] = [];
  const ofKeys = new Map<string, Placed>();
  for (const [at, check] of checks.entries()) {
    if ('held' in check) held.push({ verb: 'check-session', key: keyspace.key(check.held.key), session: check.held.session.id, check: at });
    else ofKeys.set(check.key, { check, at });
  }
  const done = ops.flatMap((known, at) => {
    const key = keyOf(known.op);
    const placed = key === undefined ? undefined : ofKeys.get(key);
    if (placed !== undefined) ofKeys.delete(placed.check.key);
    return stepsOf(keyspace, known, placed).map(step => ({ ...step, op: at }));
  });
  const rest = [...ofKeys.values()].map(placed => guardOf(keyspace, placed));
  return { checks, ops, steps: [...held, ...rest, ...done] };
}

/** The plan of a put that nothing else hangs on, which is by far the most. */
export function planOfPut(keyspace: Keyspace, op: Put): Plan {
  const { put, value } = op;
  return { checks: [], ops: [{ op, absent: false }], steps: [{ verb: 'set', key: keyspace.key(put), value, op: 0 }] };
}

function keyOf(op: DriverOp): string | undefined {
  return 'put' in op ? op.put : 'delete' in op ? op.delete : undefined;
}

function stepsOf(keyspace: Keyspace, known: KnownOp, placed: Placed | undefined): PlannedStep[] {
  const { op } = known;
  if ('deletePrefix' in op) return [{ verb: 'delete-tree', key: keyspace.key(op.deletePrefix) }];
  if ('put' in op) return putSteps(keyspace, op, known.session, placed);
  const key = keyspace.key(op.delete);
  const gone: PlannedStep = { verb: 'check-not-exists', key };
  if (placed !== undefined) {
    const guard = guardOf(keyspace, placed);
    return placed.check.entry === undefined ? [guard] : [guard, { verb: 'delete', key }];
  }
  // A deletion by itself does not tell whether there was anything; a get is refused where there is not.
  return known.absent
    ? [gone]
    : [
        { verb: 'get', key },
        { verb: 'delete', key },
      ];
}

function putSteps(keyspace: Keyspace, { put, value, ttl }: Put, session: string | undefined, placed: Placed | undefined): PlannedStep[] {
  const key = keyspace.key(put);
  const guards = placed === undefined ? [] : [guardOf(keyspace, placed)];
  const before = placed?.check.entry;
  const absent = placed !== undefined && before === undefined;
  // Whoever holds the key now lets go of it with the deletion.
  const cleared: PlannedStep[] = absent ? [] : [{ verb: 'delete', key }];
  if (session !== undefined) return [...guards, ...cleared, { verb: 'lock', key, value, session }];
  if (placed === undefined) return [{ verb: 'set', key, value }];
  if (before?.leased === true && ttl !== 'keep') return [...guards, ...cleared, { verb: 'set', key, value }];
  const index = before?.revision ?? 0n;
  return [{ verb: 'cas', key, value, index, ...(before === undefined ? {} : { flags: otherFlags(before) }), check: placed.at }];
}

function guardOf(keyspace: Keyspace, { check, at }: Placed): PlannedStep {
  const key = keyspace.key(check.key);
  if (check.entry === undefined) return { verb: 'check-not-exists', key, check: at };
  return { verb: 'check-index', key, index: check.entry.revision, check: at };
}

/** What a transaction wrote and deleted; results are found by key, since some steps have none. */
export function resultsOf(keyspace: Keyspace, { ops }: Plan, answer: TxnAnswer): OpResult[] {
  // The last of a key: what stood there before comes first.
  const pairs = new Map((answer.Results ?? []).map(({ KV }) => [KV.Key, KV]));
  return ops.map(known => resultOf(keyspace, known, pairs));
}

function resultOf(keyspace: Keyspace, { op, absent }: KnownOp, pairs: ReadonlyMap<string, KvPair>): OpResult {
  if (!('put' in op)) return { existed: !absent };
  const pair = pairs.get(keyspace.key(op.put));
  if (pair === undefined) throw new KvError('internal', 'consul gave no answer for a put', { backend });
  return { entry: written(pair, op.put, op.value) };
}

/** Why a transaction was refused. Takes note in the ops of what it says of deletions. */
export function refusalOf({ checks, ops, steps }: Plan, answer: TxnAnswer): Refusal {
  const errors = (answer.Errors ?? []).map(({ OpIndex, What }) => ({ step: steps[OpIndex], What }));
  // A lock fails in consequence where what it was to replace is not as it was.
  const failed = new Set(errors.flatMap(({ step }) => (step?.check === undefined ? [] : [step.check])));
  if (failed.size > 0) return { type: 'failed', failed: [...failed].map(at => ({ key: keyOfCheck(checks[at] as DriverCheck) })) };
  for (const { What } of errors) {
    const refused = wordsOf(What, What);
    if (refused !== undefined) return { type: 'error', error: errorOf(refused) };
  }
  let again = false;
  for (const { step } of errors) {
    const known = step?.op === undefined ? undefined : ops[step.op];
    if (known === undefined || (step?.verb !== 'get' && step?.verb !== 'check-not-exists')) continue;
    known.absent = step.verb === 'get';
    again = true;
  }
  if (again) return { type: 'again' };
  const cause = errors[0]?.What;
  return {
    type: 'error',
    error: errorOf({ code: 'internal', fate: 'refused', message: 'consul refused a transaction (see cause)', cause }),
  };
}

function keyOfCheck(check: DriverCheck): string {
  return 'held' in check ? check.held.key : check.key;
}

/** Whether a key that was to be permanent is still bound to the session it had. */
export function isBound({ op, session }: KnownOp, entry: Entry | undefined): entry is Entry {
  return 'put' in op && op.ttl !== 'keep' && session === undefined && entry?.leased === true;
}
