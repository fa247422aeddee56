/** Keys: segments joined by '/', written in one way on every backend. */
import { KvError } from './errors.js';
import { kindOf } from './kind.js';
import { isWellFormed } from './text.js';

/** The segment directly below the root under which a store keeps its own records: lock queues and the like. */
export const reserved = '~rxkv';

/** Bytes of UTF-8 that a key may have, together with the directory of the view it is used in. */
export const maxKeyBytes = 1024;

// U+0000-1F, U+007F-9F: no server displays them, most refuse them.
// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u001f\u007f-\u009f]/;
// Nothing in a key of these characters needs a closer look than its slashes, dots and length.
const plain = /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/;

/**
 * The one spelling of a key: one leading slash and all trailing ones dropped (`/a/b/` is `a/b`).
 *
 * @param base the path of the view, '' or ending in '/', prepended to the result and counted in its length
 * @throws KvError `invalid` for what is not a string, is empty, has an empty segment, a segment `.`, `..` or
 *   `~rxkv`, a control character or a lone surrogate, or is over 1024 bytes of UTF-8
 */
export function normaliseKey(key: string, base = ''): string {
  if (typeof key !== 'string') throw new KvError('invalid', `a key is a string, not ${kindOf(key)}`);
  if (plain.test(key) && key.length + base.length * 3 <= maxKeyBytes) return base + key;
  const trimmed = trim(key);
  if (trimmed === '') throw new KvError('invalid', `key ${quote(key)} is empty`);
  return checked(trimmed, key, 'key', base);
}

/**
 * The one spelling of a directory as a prefix: '' for the root, else ending in '/'. Slashes as in
 * {@link normaliseKey}; `/` and '' are the root.
 */
export function normaliseDirectory(directory: string, base = ''): string {
  if (typeof directory !== 'string') throw new KvError('invalid', `a directory is a string, not ${kindOf(directory)}`);
  const trimmed = trim(directory);
  if (trimmed === '') return base;
  return `${checked(trimmed, directory, 'directory', base)}/`;
}

/** A prefix as users see it: without its last slash. */
export function directoryOf(prefix: string): string {
  return prefix === '' ? '' : prefix.slice(0, -1);
}

/** Whether a string is a key that users may have written; records of other clients need not be. */
export function isKey(key: string): boolean {
  if (plain.test(key) && key.length <= maxKeyBytes) return true;
  try {
    return normaliseKey(key) === key;
  } catch {
    return false;
  }
}

/** How many segments a key has from position `from` on. */
export function depthOf(key: string, from = 0): number {
  let depth = 1;
  for (let at = key.indexOf('/', from); at !== -1; at = key.indexOf('/', at + 1)) depth++;
  return depth;
}

/** The first string after all that start with the prefix, in JavaScript and in UTF-8 order alike; '' is endless. */
export function prefixEnd(prefix: string): string | undefined {
  // '0' is the character after '/'.
  return prefix === '' ? undefined : `${prefix.slice(0, -1)}0`;
}

/** Bytes of UTF-8. */
export function byteLength(value: string): number {
  let bytes = 0;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    // Each half of a surrogate pair counts two of its four bytes.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
  }
  return bytes;
}

/** A name as one segment: '%' and '/' escaped, so that the lock `a` never sees the lock `a/b`. */
export function encodeSegment(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('/', '%2F');
}

export function decodeSegment(segment: string): string {
  return segment.replaceAll('%2F', '/').replaceAll('%25', '%');
}

/** As users may write it: a leading slash and trailing ones dropped, and nothing checked. */
export function trim(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === '/') end--;
  return path.slice(path[0] === '/' && end > 0 ? 1 : 0, end);
}

function checked(trimmed: string, written: string, noun: string, base: string): string {
  for (const segment of trimmed.split('/')) {
    if (segment === '') throw new KvError('invalid', `${noun} ${quote(written)} has an empty segment`);
    if (segment === '.' || segment === '..') throw new KvError('invalid', `${noun} ${quote(written)} has a segment "${segment}"`);
    if (segment === reserved) throw new KvError('invalid', `${noun} ${quote(written)} has the reserved segment "${reserved}"`);
  }
  if (control.test(trimmed)) throw new KvError('invalid', `${noun} ${quote(written)} has a control character`);
  if (!isWellFormed(trimmed)) throw new KvError('invalid', `${noun} ${quote(written)} has half a surrogate pair`);
  const whole = base + trimmed;
  const bytes = byteLength(whole);
  if (bytes > maxKeyBytes)
    throw new KvError('invalid', `${noun} ${quote(written)} has ${bytes} bytes of UTF-8, over the maximum of ${maxKeyBytes}`);
  return whole;
}

/** A key in a message: escaped, and cut where it is long. */
function quote(key: string): string {
  return JSON.stringify(key.length > 80 ? `${key.slice(0, 77)}...` : key);
}
