/** Entries for specs. */
import type { Entry } from '../src/entry.js';

/** An entry whose bytes are the UTF-8 of `value`, created and written at `revision`. */
export function entry(key: string, value: string, revision: number, more: Partial<Entry> = {}): Entry {
  const created = BigInt(revision);
  return { key, value: new TextEncoder().encode(value) as Entry['value'], revision: created, created, leased: false, ...more };
}

/** Key and value of each entry, as text. */
export function texts(entries: Iterable<Entry>): string[] {
  return [...entries].map(({ key, value }) => `${key}=${new TextDecoder().decode(value)}`);
}
