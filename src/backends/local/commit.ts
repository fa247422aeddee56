/** Commits: what a transaction does to a draft. Deciding only; nothing is written here. */
import type { DriverCheck, DriverOp, DriverTransaction, FailedCheck, OpResult, Outcome } from '../../driver.js';
import { KvError } from '../../errors.js';
import type { Draft } from './draft.js';
import type { Keyspace } from './keyspace.js';
import { alive, toEntry } from './row.js';

/**
 * Carries out all ops if all checks hold, else nothing.
 *
 * @throws KvError `session-lost` for a put under a session that has ended, before anything is changed
 */
export function transact(draft: Draft, keyspace: Keyspace, { checks, ops }: DriverTransaction): Outcome {
  const failed: FailedCheck[] = [];
  for (const check of checks) {
    const failure = failureOf(draft, keyspace, check);
    if (failure !== undefined) failed.push(failure);
  }
  if (failed.length > 0) return { ok: false, failed };
  for (const op of ops) if ('put' in op && op.session !== undefined) requireSession(draft, op.session.id);
  return { ok: true, results: ops.map(op => apply(draft, keyspace, op)) };
}

function failureOf(draft: Draft, keyspace: Keyspace, check: DriverCheck): FailedCheck | undefined {
  if ('held' in check) {
    const { key, fence } = check.held;
    return draft.current(keyspace.whole(key))?.created === Number(fence) ? undefined : { key };
  }
  const row = draft.current(keyspace.whole(check.key));
  const expected = check.entry === undefined ? undefined : Number(check.entry.revision);
  return row?.revision === expected ? undefined : { key: check.key, current: row && toEntry(row, keyspace.root) };
}

function requireSession(draft: Draft, id: string): void {
  const session = draft.session(id);
  if (session === undefined || !alive(session, draft.at))
    throw new KvError('session-lost', 'the session that the key is bound to has ended');
}

function apply(draft: Draft, keyspace: Keyspace, op: DriverOp): OpResult {
  if ('put' in op) return put(draft, keyspace, op);
  if ('delete' in op) {
    const row = draft.row(keyspace.whole(op.delete), withoutValue);
    if (row === undefined) return { existed: false };
    // One that is due and not swept yet goes as well, and whoever still shows it is told.
    const existed = draft.live(row);
    draft.delete(row);
    return { existed };
  }
  const prefix = keyspace.whole(op.deletePrefix);
  const rows = draft.below(keyspace, prefix);
  draft.deletePrefix(prefix, rows);
  return { existed: rows.some(row => draft.live(row)) };
}

const withoutValue = { values: false };

function put(draft: Draft, keyspace: Keyspace, op: Extract<DriverOp, { put: string }>): OpResult {
  const key = keyspace.whole(op.put);
  const there = draft.row(key, withoutValue);
  const before = there !== undefined && draft.live(there) ? there : undefined;
  const { revision } = draft;
  const kept = op.ttl === 'keep' ? before : undefined;
  const row = {
    key,
    value: op.value,
    revision,
    created: before?.created ?? revision,
    expires: typeof op.ttl === 'number' ? draft.at.wall + op.ttl : (kept?.expires ?? 0),
    session: op.session?.id ?? kept?.session ?? '',
  };
  draft.put(row, there);
  return { entry: toEntry(row, keyspace.root) };
}
