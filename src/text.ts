/** Text: strings as UTF-8, and back. */
import type { Entry } from './entry.js';

/**
 * The value of an entry decoded as UTF-8; malformed bytes become U+FFFD.
 * Use the `utf8` codec with `decode()` to have them refused instead.
 *
 * @example text(await store.get('config/colour')) // 'blue', or undefined while absent
 */
export function text(entry: Entry): string;
export function text(entry: Entry | undefined): string | undefined;
export function text(entry: Entry | undefined): string | undefined {
  return entry === undefined ? undefined : new TextDecoder('utf-8', { ignoreBOM: true }).decode(entry.value);
}

// With the u flag a pair is one character, so what matches stands alone.
const loneSurrogate = /\p{Surrogate}/u;

/** Whether UTF-8 can hold the string: half a surrogate pair would come back as another character. */
export function isWellFormed(string: string): boolean {
  return !loneSurrogate.test(string);
}
