/** Transactions of ours as etcd's, and its answers as ours. */
import type { DriverCheck, DriverOp, FailedCheck, OpResult } from '../../driver.js';
import type { Entry } from '../../entry.js';
import { KvError } from '../../errors.js';
import { backend } from './errors.js';
import { entryOf, type Keyspace } from './keyspace.js';
import type { Compare, Kv, PutRequest, RequestOp, ResponseOp, TxnRequest } from './wire.js';

type Put = Extract<DriverOp, { put: string }>;

const absent = '0';

/** An op with the lease that its key is to have, once it has been granted. */
export interface LeasedOp {
  readonly op: DriverOp;
  readonly lease?: string;
}

export function transactionOf(keyspace: Keyspace, checks: readonly DriverCheck[], ops: readonly LeasedOp[]): TxnRequest {
  return {
    compare: checks.map(check => compareOf(keyspace, check)),
    success: ops.flatMap(op => requestsOf(keyspace, op)),
    // What stands there instead comes with the refusal.
    failure: checks.map(check => ({ request_range: { key: keyspace.key(keyOf(check)) } })),
  };
}

export function keyOf(check: DriverCheck): string {
  return 'held' in check ? check.held.key : check.key;
}

function compareOf(keyspace: Keyspace, check: DriverCheck): Compare {
  const key = keyspace.key(keyOf(check));
  if ('held' in check) return { key, target: 'Create', result: 'Equal', create_revision: String(check.held.fence) };
  if (check.entry === undefined) return { key, target: 'Create', result: 'Equal', create_revision: absent };
  return { key, target: 'Mod', result: 'Equal', mod_revision: String(check.entry.revision) };
}

function requestsOf(keyspace: Keyspace, { op, lease }: LeasedOp): RequestOp[] {
  if ('delete' in op) return [{ request_delete_range: { key: keyspace.key(op.delete) } }];
  if ('deletePrefix' in op) return keyspace.pieces({ prefix: op.deletePrefix }).map(piece => ({ request_delete_range: piece }));
  const put = putOf(keyspace, op, lease);
  if (op.ttl !== 'keep') return [{ request_put: put }];
  // A put that keeps the lease is refused where there is no key.
  const present: Compare = { key: put.key, target: 'Create', result: 'Greater', create_revision: absent };
  const kept: RequestOp = { request_put: { ...put, ignore_lease: true } };
  return [{ request_txn: { compare: [present], success: [kept], failure: [{ request_put: put }] } }];
}

export function putOf(keyspace: Keyspace, op: Put, lease: string | undefined): PutRequest {
  const put = { key: keyspace.key(op.put), value: op.value, prev_kv: true };
  return lease === undefined ? put : { ...put, lease };
}

/** How many answers belong to an op. */
function answersOf(op: DriverOp): number {
  return 'deletePrefix' in op && op.deletePrefix === '' ? 2 : 1;
}

/** @param revision  of the transaction: those of nested ones are not told */
export function resultsOf(ops: readonly LeasedOp[], responses: readonly ResponseOp[], revision: string): OpResult[] {
  let at = 0;
  return ops.map(({ op, lease }) => {
    const answers = responses.slice(at, at + answersOf(op));
    at += answers.length;
    return 'deletePrefix' in op ? { existed: answers.some(deletedAny) } : resultOf(op, lease, answers[0], revision);
  });
}

function deletedAny({ response_delete_range: answer }: ResponseOp): boolean {
  return answer !== undefined && answer.deleted !== '0';
}

export function resultOf(
  op: Exclude<DriverOp, { deletePrefix: string }>,
  lease: string | undefined,
  answer: ResponseOp | undefined,
  revision: string,
): OpResult {
  if ('delete' in op) return { existed: answer !== undefined && deletedAny(answer) };
  const put = op.ttl === 'keep' ? answer?.response_txn?.responses[0]?.response_put : answer?.response_put;
  if (put === undefined) throw new KvError('internal', 'etcd gave no answer for a put', { backend });
  const before = put.prev_kv;
  const leased = op.ttl === 'keep' ? before !== null && before.lease !== '0' : lease !== undefined;
  return { entry: entryOfPut(op, leased, before, revision) };
}

/** @param before  what it replaced */
export function entryOfPut({ put, value }: Put, leased: boolean, before: Kv | null, revision: string): Entry {
  const wrote = BigInt(revision);
  return { key: put, value, revision: wrote, created: before === null ? wrote : BigInt(before.create_revision), leased };
}

/** Which checks of a refused transaction failed, by what it found. */
export function failedOf(checks: readonly DriverCheck[], responses: readonly ResponseOp[]): FailedCheck[] {
  return checks.flatMap((check, i) => {
    const key = keyOf(check);
    const kv = responses[i]?.response_range?.kvs[0];
    const current = kv === undefined ? undefined : entryOf(kv, key);
    const met = 'held' in check ? current?.created === check.held.fence : current?.revision === check.entry?.revision;
    return met ? [] : [{ key, current }];
  });
}
