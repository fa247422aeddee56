/** Writing: a batch as puts and removes in our databases, their indexes with them. */
import { invalid, KvError } from '../../errors.js';
import { byteLength } from '../../key.js';
import type { Batch, LogRecord, Row, Write } from '../local/table.js';
import type { Client } from './client.js';
import { encodeHead, encodeRow, encodeSession, fits, type Head, hashOf, headKey, maxWholeKey } from './layout.js';
import { type Grown, growthOf, noTail } from './log.js';
import type { ClientView } from './view.js';

/** A batch made ready: checked and encoded, so that nothing can fail between its first write and its last. */
export interface Plan {
  readonly batch: Batch;
  readonly before: Head;
  readonly after: Head;
  readonly steps: readonly Step[];
  readonly grown: readonly Grown[];
  readonly tail: Uint8Array;
  /** Records of the log to forget. */
  readonly trimmed: readonly number[];
}

/** One write, with the bytes of its row or session. */
interface Step {
  readonly write: Write;
  readonly bytes: Uint8Array;
}

const nothing = new Uint8Array(0);

/** Transactions over `history` that may wait in the log, so that most commits need not trim. */
const slack = 1000;
/** The tail is no more than this part of `history`, since it is not trimmed. */
const tails = 16;
/** Records trimmed in one commit, beyond as many as it adds. */
const mostTrimmed = 2000;

/**
 * What `batch` makes of the store as `view` shows it.
 *
 * @throws KvError `invalid` for a key that LMDB cannot hold
 */
export function planOf(batch: Batch, view: ClientView, history: number): Plan {
  const before = view.position;
  const steps = batch.writes.map(write => ({ write, bytes: encoded(write) }));
  const revision = revisionAfter(batch.log, before.revision);
  const { grown, tail } = growthOf(view.tail, before.revision, batch.log, history / tails);
  const over = revision - history - before.compacted;
  const trimmed = over <= Math.min(slack, history / 4) ? [] : view.logged(revision - history, mostTrimmed + grown.length);
  return { batch, before, after: after(before, revision, trimmed), steps, grown, tail, trimmed };
}

/** A plan that forgets up to `most` records of the log. */
export function compaction(view: ClientView, most: number): Plan {
  const before = view.position;
  const trimmed = view.logged(before.revision, most);
  const plan = { batch: { writes: [], log: [] }, before, steps: [], grown: [], trimmed };
  if (trimmed.length === most) return { ...plan, after: after(before, before.revision, trimmed), tail: view.tail };
  // Nothing older is left, so the tail goes as well.
  return { ...plan, after: after(before, before.revision, [before.revision]), tail: noTail };
}

/** Hands the plan to lmdb, inside of a transaction or a condition. What would throw here would stay half written. */
export function carryOut(client: Client, { after, steps, grown, tail, trimmed }: Plan): void {
  for (const { write, bytes } of steps) {
    if ('put' in write) putRow(client, write.put, write.before, bytes);
    else if ('remove' in write) removeRow(client, write.remove);
    else if ('session' in write) client.sessions.put(write.session.id, bytes);
    else client.sessions.remove(write.endSession.id);
  }
  for (const { last, group } of grown) client.log.put(last, group);
  for (const record of trimmed) client.log.remove(record);
  client.root.put(headKey, encodeHead(after, tail), after.commits);
}

function putRow(client: Client, { key, expires, session }: Row, before: Row | undefined, bytes: Uint8Array): void {
  if (before !== undefined && before.expires !== expires) unindexExpiry(client, before);
  if (before !== undefined && before.session !== session) unindexSession(client, before);
  client.rows.put(key, bytes);
  if (expires > 0 && before?.expires !== expires) client.expiries.put({ expires, key }, nothing);
  if (session !== '' && before?.session !== session) client.owned.put({ hash: hashOf(session), key }, nothing);
}

function removeRow(client: Client, row: Row): void {
  client.rows.remove(row.key);
  unindexExpiry(client, row);
  unindexSession(client, row);
}

function unindexExpiry(client: Client, { expires, key }: Row): void {
  if (expires > 0) client.expiries.remove({ expires, key });
}

function unindexSession(client: Client, { session, key }: Row): void {
  if (session !== '') client.owned.remove({ hash: hashOf(session), key });
}

function encoded(write: Write): Uint8Array {
  if ('put' in write) {
    checkKey(write.put.key);
    if (write.put.session !== '') checkId(write.put.session);
    return encodeRow(write.put);
  }
  if ('remove' in write) {
    checkKey(write.remove.key);
    return nothing;
  }
  checkId('session' in write ? write.session.id : write.endSession.id);
  return 'session' in write ? encodeSession(write.session) : nothing;
}

/** Of the last transaction; there are no gaps, or a log could not tell what it lost. */
function revisionAfter(log: readonly LogRecord[], head: number): number {
  let revision = head;
  for (const record of log) {
    revision++;
    if (record.revision !== revision)
      throw new KvError('internal', `revision ${record.revision} in place of ${revision}`, { backend: 'lmdb' });
  }
  return revision;
}

function after({ compacted, commits }: Head, revision: number, trimmed: readonly number[]): Head {
  return { revision, compacted: trimmed.at(-1) ?? compacted, commits: commits + 1 };
}

function checkKey(key: string): void {
  if (key !== '' && fits(key)) return;
  throw invalid(`a key of lmdb and its root have 1 to ${maxWholeKey} bytes of UTF-8, not ${byteLength(key)}`, { backend: 'lmdb' });
}

/** Its length is one byte of a row. */
function checkId(id: string): void {
  const bytes = byteLength(id);
  if (bytes < 1 || bytes > 255) throw new KvError('internal', `a session id has 1 to 255 bytes, not ${bytes}`, { backend: 'lmdb' });
}
