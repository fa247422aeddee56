/** An entry: a key with its value, and what the backend knows of its writes. */

/** A value as it is written: strings are stored as UTF-8, bytes are copied at the call. */
export type Value = string | Uint8Array;

/**
 * A key with its value as it was read.
 *
 * `revision` orders the writes of one key; `created` is the revision that created it; `token` is what
 * compare-and-set needs beyond them on some backends. All three are opaque otherwise. `leased` says that the
 * key has a ttl or a session and vanishes with it. The bytes of `value` are lent: treat them as read-only.
 */
export interface Entry {
  readonly key: string;
  readonly value: Uint8Array<ArrayBuffer>;
  readonly revision: bigint;
  readonly created: bigint;
  readonly leased: boolean;
  readonly token?: string;
}

/** One name directly below a directory: a key (with its entry), a directory, or both at once. */
export interface Child {
  readonly name: string;
  readonly key: string;
  readonly directory: boolean;
  readonly entry?: Entry;
}

/** Whether two values are the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether two entries are the same write of the same bytes: revision alone repeats after a restore. */
export function sameEntry(a: Entry, b: Entry): boolean {
  return (
    a === b ||
    (a.revision === b.revision &&
      a.token === b.token &&
      a.created === b.created &&
      a.leased === b.leased &&
      a.key === b.key &&
      sameBytes(a.value, b.value))
  );
}

/** The same entry under another key; views of a store show keys from their directory on. */
export function renamed(entry: Entry, key: string): Entry {
  return entry.key === key ? entry : { ...entry, key };
}
