/**
 * The layout: how rows, sessions, log records and index keys are bytes.
 *
 * | database | key | value |
 * |-|-|-|
 * | rows | UTF-8 of the whole key | revision, created, expires (each f64), length and UTF-8 of the session id, the value |
 * | log | revision of its last transaction (f64) | how many transactions (u32); for each, how many changes (u32); for each, what (1 put, 2 delete, 3 deletePrefix), length (u16) and UTF-8 of the key |
 * | expiries | expires (f64), key | nothing |
 * | owned | hash of the session id (8 bytes), key | nothing |
 * | sessions | UTF-8 of the id | ttl, deadline (f64), UTF-8 of the boot |
 * | the root, which lists these | `rxkv/head` | revision, compacted, commits (each f64), the last transactions as in a record of the log |
 * | | `rxkv/schema` | one byte, as in `schema.ts` |
 *
 * Before each value of the root `lmdb` puts a version of 8 bytes; that of the head is its commits.
 *
 * Numbers are big-endian: as keys they sort as they count, since none is negative. LMDB's keys end at 1978
 * bytes; with the 8 bytes before it in an index, a key of ours at 1970.
 */
import { byteLength } from '../../key.js';
import type { Row, SessionRow } from '../local/table.js';

/** Of a whole key, root included. */
export const maxWholeKey = 1970;

/** How a key of a database is written and read; `lmdb` hands in Buffers, with room for the longest key. */
interface KeyEncoder<K> {
  writeKey(key: K, target: Buffer, start: number): number;
  readKey(source: Buffer, start: number, end: number): K;
}

export const textKeys: KeyEncoder<string> = {
  writeKey: (key, target, start) => start + target.write(key, start, 'utf8'),
  readKey: (source, start, end) => source.toString('utf8', start, end),
};

export const numberKeys: KeyEncoder<number> = {
  writeKey: (key, target, start) => target.writeDoubleBE(key, start),
  readKey: (source, start) => source.readDoubleBE(start),
};

/** In the order of time, then of keys. */
export interface Expiry {
  readonly expires: number;
  readonly key: string;
}

export const expiryKeys: KeyEncoder<Expiry> = {
  writeKey: ({ expires, key }, target, start) => textKeys.writeKey(key, target, target.writeDoubleBE(expires, start)),
  readKey: (source, start, end) => ({ expires: source.readDoubleBE(start), key: textKeys.readKey(source, start + 8, end) }),
};

/** A row that is bound to a session. Two sessions of one hash share a range: the row itself says whose it is. */
export interface Owned {
  readonly hash: SessionHash;
  readonly key: string;
}

export interface SessionHash {
  readonly high: number;
  readonly low: number;
}

export const ownedKeys: KeyEncoder<Owned> = {
  writeKey: ({ hash, key }, target, start) =>
    textKeys.writeKey(key, target, target.writeUInt32BE(hash.low, target.writeUInt32BE(hash.high, start))),
  readKey: (source, start, end) => ({
    hash: { high: source.readUInt32BE(start), low: source.readUInt32BE(start + 4) },
    key: textKeys.readKey(source, start + 8, end),
  }),
};

/** FNV-1a, twice from two beginnings: an id itself would take the room of a key. */
export function hashOf(session: string): SessionHash {
  let high = 0x811c9dc5;
  let low = 0x9dc5811c;
  for (let i = 0; i < session.length; i++) {
    const unit = session.charCodeAt(i);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ (unit + i), 0x01000193);
  }
  return { high: high >>> 0, low: low >>> 0 };
}

/** A row without its key. */
export interface Stored {
  readonly revision: number;
  readonly created: number;
  readonly expires: number;
  readonly session: string;
  readonly value: Uint8Array<ArrayBuffer>;
}

/** Before the session id. */
const header = 25;
const nothing = new Uint8Array(0);

/** How `lmdb` makes values of bytes; those that are written are encoded already. */
interface ValueEncoder<V> {
  encode(bytes: Uint8Array): Uint8Array;
  decode(bytes: Buffer, size: number): V;
}

/** Reads a row from memory that the next read overwrites, hence the copy. */
export const whole: ValueEncoder<Stored> = {
  encode: bytes => bytes,
  decode: (bytes, size) =>
    stored(bytes, at => new Uint8Array((bytes.buffer as ArrayBuffer).slice(bytes.byteOffset + at, bytes.byteOffset + size))),
};

/** The same without the value. */
export const headersOnly: ValueEncoder<Stored> = {
  encode: bytes => bytes,
  decode: bytes => stored(bytes, () => nothing),
};

/** Reads a row from a copy of its own, which the value then shares. */
export function decodeRow(key: string, bytes: Uint8Array<ArrayBuffer>): Row {
  const { buffer, byteOffset, length } = bytes;
  return rowOf(
    key,
    stored(asBuffer(bytes), at => new Uint8Array(buffer, byteOffset + at, length - at)),
  );
}

export function rowOf(key: string, { value, revision, created, expires, session }: Stored): Row {
  return { key, value, revision, created, expires, session };
}

function stored(bytes: Buffer, value: (at: number) => Uint8Array<ArrayBuffer>): Stored {
  const end = header + (bytes[24] as number);
  return {
    revision: bytes.readDoubleBE(0),
    created: bytes.readDoubleBE(8),
    expires: bytes.readDoubleBE(16),
    session: end === header ? '' : bytes.toString('utf8', header, end),
    value: value(end),
  };
}

export function encodeRow({ value, revision, created, expires, session }: Row): Buffer {
  const length = session === '' ? 0 : Buffer.byteLength(session);
  const bytes = Buffer.allocUnsafe(header + length + value.length);
  bytes.writeDoubleBE(revision, 0);
  bytes.writeDoubleBE(created, 8);
  bytes.writeDoubleBE(expires, 16);
  bytes[24] = length;
  if (length > 0) bytes.write(session, header, 'utf8');
  bytes.set(value, header + length);
  return bytes;
}

export function encodeSession({ ttl, deadline, boot }: SessionRow): Buffer {
  const bytes = Buffer.allocUnsafe(16 + Buffer.byteLength(boot));
  bytes.writeDoubleBE(ttl, 0);
  bytes.writeDoubleBE(deadline, 8);
  bytes.write(boot, 16, 'utf8');
  return bytes;
}

export function decodeSession(id: string, bytes: Uint8Array<ArrayBuffer>): SessionRow {
  const buffer = asBuffer(bytes);
  return { id, ttl: buffer.readDoubleBE(0), deadline: buffer.readDoubleBE(8), boot: buffer.toString('utf8', 16) };
}

/** Where the whole store stands. `commits` counts all of them, also those that only renewed a session. */
export interface Head {
  readonly revision: number;
  readonly compacted: number;
  readonly commits: number;
}

export const headKey = 'rxkv/head';
export const schemaKey = 'rxkv/schema';

/** The tail of the log begins here. */
export const headBytes = 24;

export function encodeHead({ revision, compacted, commits }: Head, tail: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes + tail.length);
  bytes.writeDoubleBE(revision, 0);
  bytes.writeDoubleBE(compacted, 8);
  bytes.writeDoubleBE(commits, 16);
  bytes.set(tail, headBytes);
  return bytes;
}

export function decodeHead(bytes: Uint8Array<ArrayBuffer>): Head {
  const buffer = asBuffer(bytes);
  return { revision: buffer.readDoubleBE(0), compacted: buffer.readDoubleBE(8), commits: buffer.readDoubleBE(16) };
}

/** Whether a key fits; what is short is so without counting. */
export function fits(key: string): boolean {
  return key.length * 3 <= maxWholeKey || byteLength(key) <= maxWholeKey;
}

/** lmdb's copies are Buffers by another type. */
export function asBuffer(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
