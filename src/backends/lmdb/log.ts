/**
 * The log as it is stored: some consecutive transactions share one record, since one for each would double what a
 * batch writes.
 */
import type { Logged, LogRecord } from '../local/table.js';
import { asBuffer } from './layout.js';

/** In the order of revisions, without gaps. */
export type LogGroup = readonly LogRecord[];

/** Up to this many bytes LMDB keeps a value within its page, beside others. */
const mostGrouped = 1900;

/** Groups in order, each small or of one transaction. */
export function groupsOf(records: readonly LogRecord[]): LogGroup[] {
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

export function encodeGroup(group: LogGroup): Buffer {
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
