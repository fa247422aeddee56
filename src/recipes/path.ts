/** The path of a lock: one encoded segment below `~rxkv`, so that the lock `a` never sees the lock `a/b`. */
import { from, map, type Observable, of } from 'rxjs';
import { KvError } from '../errors.js';
import { byteLength, encodeSegment, reserved } from '../key.js';

/** Bytes that an encoded name may have; a longer one is hashed. */
const longest = 512;

/** Where a lock's queue is, and how its name and value go into a record. */
export interface LockPath {
  readonly directory: string;
  /** The name before the value, where the path does not tell it. */
  readonly prefix: Uint8Array;
}

/**
 * The queue of the lock `name` (a key as the store knows it): `~rxkv/<encoded name>`, or `~rxkv/<SHA-256 in hex>`
 * where the encoded name is over 512 bytes; the records then hold the name, a NUL, and the value.
 */
export function lockPath$(name: string): Observable<LockPath> {
  const encoded = encodeSegment(name);
  if (byteLength(encoded) <= longest) return of({ directory: `${reserved}/${encoded}`, prefix: nothing });
  const bytes = new TextEncoder().encode(name);
  return from(sha256(bytes)).pipe(map(hash => ({ directory: `${reserved}/${hash}`, prefix: withNul(bytes) })));
}

/** The value as a record of the queue holds it. */
export function recordOf({ prefix }: LockPath, value: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (prefix.length === 0) return value;
  const record = new Uint8Array(prefix.length + value.length);
  record.set(prefix);
  record.set(value, prefix.length);
  return record;
}

/** The value that a record of the queue holds. */
export function valueOf({ prefix }: LockPath, record: Uint8Array): Uint8Array {
  return record.subarray(prefix.length);
}

const nothing = new Uint8Array(0);

function withNul(name: Uint8Array): Uint8Array {
  const prefix = new Uint8Array(name.length + 1);
  prefix.set(name);
  return prefix;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  // Browsers offer it in secure contexts only.
  if (globalThis.crypto?.subtle === undefined)
    throw new KvError('unsupported', `a lock name over ${longest} bytes needs WebCrypto (a secure context)`);
  const hash = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes));
  return Array.from(hash, byte => byte.toString(16).padStart(2, '0')).join('');
}
