/** Holdings: what rxkv has in an LMDB file, as a survey of it finds it, and what of that contradicts itself. */
import { decodeSegment, reserved } from '../../key.js';
import { alive, type Instant } from '../local/row.js';
import type { Row, SessionRow } from '../local/table.js';
import { decodeHead, decodeSession, type Head, hashOf, headBytes, headersOnly, headKey, rowOf as asRow, schemaKey } from './layout.js';
import { decodeGroup, type LogGroup } from './log.js';
import type { Found, Survey, Tree } from './survey.js';

export interface Holdings {
  readonly head: Head;
  readonly rows: number;
  /** Rows with a ttl. */
  readonly expiring: number;
  readonly sessions: readonly SessionRow[];
  readonly contenders: readonly Contender[];
}

/** A record in the queue of a lock. */
export interface Contender {
  /** What stands before the queue: '' or ending in '/'. */
  readonly root: string;
  readonly lock: string;
  readonly created: number;
  readonly session: string;
}

/** Contenders of one lock, the holder first. */
export type Queue = [Contender, ...Contender[]];

/** The databases that a folder of rxkv has. */
export const databases = ['rows', 'log', 'expiries', 'owned', 'sessions'] as const;

export type Trees = Readonly<Record<(typeof databases)[number], Tree>>;

/** The records of ours in the root, beside the databases. */
export const records: readonly string[] = [headKey, schemaKey];

/** Their values, by name. */
export type Records = ReadonlyMap<string, Buffer>;

// In the root lmdb puts a version of 8 bytes before each value.
const versionBytes = 8;
const rowBytes = 25;
const sessionBytes = 16;

/** In which layout the store is; undefined where that is not said. */
export function schemaOf(written: Records): number | undefined {
  return written.get(schemaKey)?.[versionBytes];
}

/** Where the store stands, and the last transactions of its log. */
export interface Position {
  readonly head: Head;
  readonly tail: LogGroup;
}

export function positionOf(survey: Survey, written: Records): Position {
  const value = written.get(headKey);
  if (value !== undefined && value.length >= versionBytes + headBytes) {
    const head = decodeHead(copyOf(value.subarray(versionBytes)));
    const tail = groupOf(head.revision, value.subarray(versionBytes + headBytes));
    // The version is what the next commit is conditional on.
    if (isPosition(head) && versionOf(value) === head.commits && tail !== undefined) return { head, tail };
  }
  survey.fault('it does not say how far the store is');
  return { head: { revision: 0, compacted: 0, commits: 0 }, tail: [] };
}

/** Reads all but the position; what is wrong is in the survey then. */
export function holdingsOf(survey: Survey, trees: Trees, { head, tail }: Position): Holdings {
  const sessions = sessionsOf(survey, trees.sessions);
  const puts = putsOf(survey, trees.log, head, tail);
  const expiries = indexOf(survey, trees.expiries);
  const owned = indexOf(survey, trees.owned);
  const expiring = expiries.size;
  const contenders: Contender[] = [];
  const rows = survey.walk(trees.rows, found => {
    const row = rowOf(found);
    if (row === undefined || row.revision > head.revision) {
      survey.fault(`${trees.rows.name} has a row that is damaged`);
      return;
    }
    const { key, revision, expires, session } = row;
    if (revision > head.compacted && puts.get(key) !== revision) survey.fault(`the row of revision ${revision} is not what the log says`);
    if (expires > 0 && !expiries.delete(indexed(timeBytes(expires), found.key)))
      survey.fault(`the row of revision ${revision} is not in ${trees.expiries.name}`);
    if (session !== '' && !owned.delete(indexed(hashBytes(session), found.key)))
      survey.fault(`the row of revision ${revision} is not in ${trees.owned.name}`);
    const contender = contenderOf(row);
    if (contender !== undefined) contenders.push(contender);
  });
  if (expiries.size > 0) survey.fault(`${trees.expiries.name} has ${expiries.size} entries without a row`);
  if (owned.size > 0) survey.fault(`${trees.owned.name} has ${owned.size} entries without a row`);
  return { head, rows, expiring, sessions, contenders };
}

/** The queues of locks that somebody holds. */
export function queuesOf({ contenders, sessions }: Holdings, at: Instant): readonly Queue[] {
  const living = new Set(sessions.filter(session => alive(session, at)).map(({ id }) => id));
  const queues = new Map<string, Queue>();
  for (const contender of contenders) {
    if (!living.has(contender.session)) continue;
    const name = JSON.stringify([contender.root, contender.lock]);
    const queue = queues.get(name);
    if (queue === undefined) queues.set(name, [contender]);
    else queue.push(contender);
  }
  return [...queues.values()].map(queue => queue.sort((a, b) => a.created - b.created));
}

function sessionsOf(survey: Survey, tree: Tree): SessionRow[] {
  const sessions: SessionRow[] = [];
  survey.walk(tree, ({ key, value }) => {
    if (value.length < sessionBytes) survey.fault(`${tree.name} has a session that is damaged`);
    else sessions.push(decodeSession(key.toString('utf8'), copyOf(value)));
  });
  return sessions;
}

/** Of each key in the log the revision that put it last; the log has no gaps. */
function putsOf(survey: Survey, tree: Tree, head: Head, tail: LogGroup): ReadonlyMap<string, number> {
  const puts = new Map<string, number>();
  let last = head.compacted;
  const follow = (group: LogGroup): void => {
    for (const { revision, changes } of group) {
      if (revision !== last + 1) survey.fault(`${tree.name} has revision ${revision} after ${last}`);
      last = revision;
      for (const change of changes) if ('put' in change) puts.set(change.put, revision);
    }
  };
  survey.walk(tree, found => {
    const group = found.key.length === 8 ? groupOf(found.key.readDoubleBE(0), found.whole()) : undefined;
    if (group === undefined) survey.fault(`${tree.name} has a record that is damaged`);
    else follow(group);
  });
  follow(tail);
  if (last !== head.revision) survey.fault(`${tree.name} ends at revision ${last}, and the last one is ${head.revision}`);
  return puts;
}

function groupOf(last: number, bytes: Buffer): LogGroup | undefined {
  try {
    return decodeGroup(last, copyOf(bytes));
  } catch {
    // Its lengths lead outside of it.
    return undefined;
  }
}

/** The entries of an index: each is 8 bytes and the key of a row. */
function indexOf(survey: Survey, tree: Tree): Set<string> {
  const entries = new Set<string>();
  survey.walk(tree, ({ key }) => entries.add(key.toString('latin1')));
  return entries;
}

function indexed(before: Buffer, key: Buffer): string {
  return before.toString('latin1') + key.toString('latin1');
}

function timeBytes(expires: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleBE(expires);
  return bytes;
}

function hashBytes(session: string): Buffer {
  const { high, low } = hashOf(session);
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeUInt32BE(low, bytes.writeUInt32BE(high));
  return bytes;
}

/** The row, of whose value there may be only the beginning; undefined where it is none. */
function rowOf({ key, value }: Found): Row | undefined {
  const session = value[rowBytes - 1];
  if (session === undefined || value.length < rowBytes + session) return undefined;
  const row = asRow(key.toString('utf8'), headersOnly.decode(value, value.length));
  return isCount(row.revision) && row.revision > 0 && isCount(row.created) && row.created <= row.revision && row.expires >= 0
    ? row
    : undefined;
}

/** `<root>~rxkv/<lock>/<contender>` */
function contenderOf({ key, created, session }: Row): Contender | undefined {
  const at = `/${key}`.indexOf(`/${reserved}/`);
  if (at === -1 || session === '') return undefined;
  const [, lock, contender] = key.slice(at).split('/');
  return lock === undefined || contender === undefined
    ? undefined
    : { root: key.slice(0, at), lock: decodeSegment(lock), created, session };
}

/** In the order of bytes of this machine, as numbers of LMDB are. */
function versionOf(value: Buffer): number {
  return new Float64Array(copyOf(value.subarray(0, versionBytes)).buffer)[0] as number;
}

function isPosition({ revision, compacted, commits }: Head): boolean {
  return [revision, compacted, commits].every(isCount) && compacted <= revision;
}

function isCount(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0;
}

function copyOf(bytes: Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
