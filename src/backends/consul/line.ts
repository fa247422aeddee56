/** A line: who waits for a lock, and the key that its holder has, as a feed of the lock's directory tells it. */
import type { Change, Feed } from '../../driver.js';
import type { Entry } from '../../entry.js';

export interface Line {
  readonly contenders: ReadonlyMap<string, Entry>;
  readonly key: Entry | undefined;
  readonly revision: bigint;
}

/** The key that a lock is, below its directory: that of `consul lock`. */
export const lockKey = '.lock';

/** A record in the queue: the id of its session, which is a UUID, and a number. */
const record = /\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d+$/;

/** Before anything was told. */
export const untold: Line = { contenders: new Map(), key: undefined, revision: -1n };

/** @param lock  the key of the lock */
export function fold(line: Line, message: Feed, lock: string): Line {
  if (message.type === 'mark') return line;
  const contenders = message.type === 'reset' ? new Map<string, Entry>() : new Map(line.contenders);
  let key = message.type === 'reset' ? undefined : line.key;
  const changes: readonly Change[] = message.type === 'reset' ? message.entries.map(entry => ({ put: entry })) : message.changes;
  for (const change of changes) {
    if ('put' in change && change.put.key === lock) key = change.put;
    // A record without a session would hold for ever, and a key of somebody else's is no contender.
    else if ('put' in change && change.put.leased && record.test(change.put.key)) contenders.set(change.put.key, change.put);
    else if ('delete' in change && change.delete === lock) key = undefined;
    else if ('delete' in change) contenders.delete(change.delete);
  }
  return { contenders, key, revision: message.revision };
}

/** Who is next: whose record was created first. */
export function headOf(contenders: Iterable<Entry>): Entry | undefined {
  let head: Entry | undefined;
  for (const entry of contenders) if (head === undefined || entry.created < head.created) head = entry;
  return head;
}
