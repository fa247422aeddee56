/**
 * The log as it is stored: some consecutive transactions share one record, since one for each would double what a
 * batch writes.
 *
 * The newest of them are its tail, which is stored with the position of the store: a record of the log changes a page
 * of it and those above, and most commits are spared that. A tail that is full becomes a record.
 */
import type { Logged, LogRecord } from '../local/table.js';
import { asBuffer } from './layout.js';

/** In the order of revisions, without gaps. */
export type LogGroup = readonly LogRecord[];

/** Up to this many bytes LMDB keeps a value within its page, beside others. */
const mostGrouped = 1900;

/** What a commit makes of the log. */
export interface Growth {
  /** Records to add, by their last revision. */
  readonly grown: readonly Grown[];
  /** The tail from then on. */
  readonly tail: Uint8Array;
}

export interface Grown {
  readonly last: number;
  readonly group: Uint8Array;
}

/** A tail without transactions. */
export const noTail: Uint8Array<ArrayBuffer> = new Uint8Array(4);

/**
 * @param tail     as it was
 * @param head     its last revision
 * @param records  that come after it
 * @param most     transactions that the tail may have
 */
export function growthOf(tail: Uint8Array, head: number, records: readonly LogRecord[], most: number): Growth {
  if (records.length === 0) return { grown: [], tail };
  const groups = groupsOf(records);
  const [first] = groups as [LogGroup, ...LogGroup[]];
  const count = countOf(tail);
  if (groups.length === 1 && count + first.length <= most) {
    const more = encodeGroup(first);
    if (tail.length + more.length - 4 <= mostGrouped) return { grown: [], tail: joined(tail, more) };
  }
  const grown: Grown[] = groups.map(group => ({ last: (group.at(-1) as LogRecord).revision, group: encodeGroup(group) }));
  if (count > 0) grown.unshift({ last: head, group: tail });
  const last = grown.at(-1) as Grown;
  if (last.group.length > mostGrouped || countOf(last.group) > most) return { grown, tail: noTail };
  return { grown: grown.slice(0, -1), tail: last.group };
}

/** Two groups as one. */
function joined(a: Uint8Array, b: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(a.length + b.length - 4);
  bytes.writeUInt32BE(countOf(a) + countOf(b), 0);
  bytes.set(a.subarray(4), 4);
  b.copy(bytes, a.length, 4);
  return bytes;
}

/** How many transactions a group has. */
export function countOf(group: Uint8Array): number {
  return new DataView(group.buffer, group.byteOffset, 4).getUint32(0);
}

/** Groups in order, each small or of one transaction. */
function groupsOf(records: readonly LogRecord[]): LogGroup[] {
  const groups: LogRecord[][] = [];
  let bytes = Infinity;
  for (const record of records) {
    const more = bytesOf(record);
    if (bytes + more > mostGrouped) {
      groups.push([]);
      bytes = 4;
    }
    groups.at(-1)?.push(record);
    bytes += more;
  }
  return groups;
}

function encodeGroup(group: LogGroup): Buffer {
  let size = 4;
  for (const record of group) size += bytesOf(record);
  const bytes = Buffer.allocUnsafe(size);
  let at = bytes.writeUInt32BE(group.length, 0);
  for (const { changes } of group) {
    at = bytes.writeUInt32BE(changes.length, at);
    for (const change of changes) {
      bytes[at] = 'put' in change ? 1 : 'delete' in change ? 2 : 3;
      const length = bytes.write(keyOf(change), at + 3, 'utf8');
      bytes.writeUInt16BE(length, at + 1);
      at += 3 + length;
    }
  }
  // What it was sized for are the most bytes that its keys can have.
  return bytes.subarray(0, at);
}

/** @param last revision of the last transaction in the group */
export function decodeGroup(last: number, bytes: Uint8Array<ArrayBuffer>): LogGroup {
  const buffer = asBuffer(bytes);
  const count = buffer.readUInt32BE(0);
  const group: LogRecord[] = [];
  let at = 4;
  for (let i = 0; i < count; i++) {
    const changes: Logged[] = [];
    let left = buffer.readUInt32BE(at);
    for (at += 4; left > 0; left--) {
      const end = at + 3 + buffer.readUInt16BE(at + 1);
      const key = buffer.toString('utf8', at + 3, end);
      changes.push(buffer[at] === 1 ? { put: key } : buffer[at] === 2 ? { delete: key } : { deletePrefix: key });
      at = end;
    }
    group.push({ revision: last - count + 1 + i, changes });
  }
  return group;
}

/** At most; counting UTF-8 exactly would cost more than it saves. */
function bytesOf({ changes }: LogRecord): number {
  let bytes = 4;
  for (const change of changes) bytes += 3 + keyOf(change).length * 3;
  return bytes;
}

function keyOf(change: Logged): string {
  return 'put' in change ? change.put : 'delete' in change ? change.delete : change.deletePrefix;
}
