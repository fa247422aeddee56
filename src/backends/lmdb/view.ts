/** A view: one committed state of the folder, read straight from the memory that LMDB maps. */
import type { LogRecord, ReadRow, Row, SessionRow, View } from '../local/table.js';
import type { Client } from './client.js';
import {
  asBuffer,
  decodeHead,
  decodeRow,
  decodeSession,
  fits,
  type Head,
  hashOf,
  headBytes,
  headersOnly,
  headKey,
  rowOf,
} from './layout.js';
import { countOf, decodeGroup, noTail } from './log.js';

/**
 * The state that the client's current read transaction sees (inside of a write transaction: that one's). Good until
 * the turn ends or the client is refreshed.
 */
export class ClientView implements View {
  readonly position: Head;
  private readonly client: Client;
  private known: Uint8Array<ArrayBuffer> | undefined;

  /** @param writing  to be written on: then the tail is needed as well, and read at once */
  constructor(client: Client, writing: boolean = false) {
    this.client = client;
    if (!writing) {
      this.position = headOf(client);
      return;
    }
    const bytes = client.root.getBinary(headKey);
    this.position = bytes === undefined ? beginning : decodeHead(bytes);
    this.known = tailOf(bytes);
  }

  /** Of the log: its last transactions as a group, which may be none. */
  get tail(): Uint8Array<ArrayBuffer> {
    return (this.known ??= tailOf(this.client.root.getBinary(headKey)));
  }

  get head(): number {
    return this.position.revision;
  }

  get compacted(): number {
    return this.position.compacted;
  }

  row(key: string, options?: ReadRow): Row | undefined {
    // lmdb answers a longer one with a RangeError.
    if (key === '' || !fits(key)) return undefined;
    if (options?.values === false) {
      const bytes = this.client.rows.getBinaryFast(key);
      return bytes === undefined ? undefined : rowOf(key, headersOnly.decode(asBuffer(bytes), bytes.length));
    }
    const bytes = this.client.rows.getBinary(key);
    return bytes === undefined ? undefined : decodeRow(key, bytes);
  }

  *rows(from: string, to: string | undefined, options?: ReadRow): Iterable<Row> {
    const { rows, headers } = this.client;
    for (const { key, value } of (options?.values === false ? headers : rows).getRange({ start: from, end: to })) yield rowOf(key, value);
  }

  *log(after: number): Iterable<LogRecord> {
    const { tail } = this;
    if (after < this.head - countOf(tail)) {
      for (const { key, value } of this.client.log.getRange({ start: after + 1 })) {
        for (const record of decodeGroup(key, value)) if (record.revision > after) yield record;
      }
    }
    for (const record of decodeGroup(this.head, tail)) if (record.revision > after) yield record;
  }

  /** Records of the log that end at or before the revision, oldest first. */
  logged(until: number, most: number): number[] {
    const records: number[] = [];
    for (const last of this.client.log.getKeys({ start: 0, limit: most })) {
      if (last > until) break;
      records.push(last);
    }
    return records;
  }

  nextExpiry(): number | undefined {
    for (const { expires } of this.client.expiries.getKeys({ start: { expires: 0, key: '' }, limit: 1 })) return expires;
    return undefined;
  }

  *due(now: number, most: number): Iterable<string> {
    for (const { expires, key } of this.client.expiries.getKeys({ start: { expires: 0, key: '' }, limit: most })) {
      if (expires > now) return;
      yield key;
    }
  }

  session(id: string): SessionRow | undefined {
    const bytes = id === '' ? undefined : this.client.sessions.getBinary(id);
    return bytes === undefined ? undefined : decodeSession(id, bytes);
  }

  *sessions(): Iterable<SessionRow> {
    for (const { key, value } of this.client.sessions.getRange({ start: '' })) yield decodeSession(key, value);
  }

  *owned(session: string): Iterable<string> {
    const { high, low } = hashOf(session);
    for (const { hash, key } of this.client.owned.getKeys({ start: { hash: { high, low }, key: '' } })) {
      if (hash.high !== high || hash.low !== low) return;
      // Another session may have the same hash.
      if (this.row(key)?.session === session) yield key;
    }
  }
}

function tailOf(bytes: Uint8Array<ArrayBuffer> | undefined): Uint8Array<ArrayBuffer> {
  return bytes?.subarray(headBytes) ?? noTail;
}

const beginning: Head = { revision: 0, compacted: 0, commits: 0 };

/** Where the state that is being read stands. */
export function headOf(client: Client): Head {
  const bytes = client.root.getBinaryFast(headKey);
  return bytes === undefined ? beginning : decodeHead(bytes);
}
