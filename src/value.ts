/** A value as bytes of our own. */
import type { Value } from './entry.js';
import { KvError, type KvErrorDetail } from './errors.js';
import { kindOf } from './kind.js';
import { isWellFormed } from './text.js';

/**
 * The bytes of a value: a string's UTF-8, or a copy of the bytes, since the caller may go on to change them.
 *
 * @throws KvError `invalid` for anything else, for half a surrogate pair, and for more than `most` bytes
 */
export function bytesOf(value: Value, most: number, key?: string): Uint8Array<ArrayBuffer> {
  const detail = { key };
  if (typeof value === 'string') {
    if (value.length > most) throw tooLarge(value.length, most, detail);
    if (!isWellFormed(value)) throw new KvError('invalid', 'the value has half a surrogate pair, which UTF-8 cannot hold', detail);
    const bytes = new TextEncoder().encode(value);
    if (bytes.length > most) throw tooLarge(bytes.length, most, detail);
    return bytes as Uint8Array<ArrayBuffer>;
  }
  if (!isBytes(value)) throw new KvError('invalid', `a value is a string or a Uint8Array, not ${kindOf(value)}`, detail);
  if (value.length > most) throw tooLarge(value.length, most, detail);
  // Not slice(): that of a Buffer shares its memory.
  return new Uint8Array(value);
}

/** What a stream is to write once it is subscribed: bytes as they are at the call, anything else as it is. */
export function keptOf(value: Value): Value {
  return isBytes(value) ? new Uint8Array(value) : value;
}

/** Also true of arrays of another realm, such as a test runner's sandbox. */
export function isBytes(value: unknown): value is Uint8Array {
  return Object.prototype.toString.call(value) === '[object Uint8Array]';
}

function tooLarge(bytes: number, most: number, detail: KvErrorDetail): KvError {
  return new KvError('invalid', `a value of ${bytes} bytes is over the maximum of ${most}`, detail);
}
