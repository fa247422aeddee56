/** Listings: what users see of a view, below their root, at one instant. */
import type { Listing, ListQuery, Range } from '../../driver.js';
import type { Entry } from '../../entry.js';
import { prefixEnd } from '../../key.js';
import type { Keyspace } from './keyspace.js';
import { type Instant, live, permanent, toEntry } from './row.js';
import type { Row, View } from './table.js';

/** @param now  asked only where some row has an end */
export function list(view: View, keyspace: Keyspace, query: Range & ListQuery, now: () => Instant): Listing {
  const revision = BigInt(view.head);
  if ('key' in query) {
    const row = view.row(keyspace.whole(query.key));
    return { entries: row !== undefined && (permanent(row) || live(row, view, now())) ? [toEntry(row, keyspace.root)] : [], revision };
  }
  const prefix = keyspace.whole(query.prefix);
  const at = now();
  const options = query.values === undefined ? {} : { values: query.values };
  if (query.depth === undefined) return { entries: entriesOf(keyspace, keyspace.rows(view, prefix, options), view, at), revision };
  const walk = new Walk(view, keyspace, prefix, query.depth, at, options);
  return { entries: walk.entries, directories: walk.directories, revision };
}

/** The entries of a relative range. */
export function entriesIn(view: View, keyspace: Keyspace, range: Range, at: Instant): readonly Entry[] {
  return list(view, keyspace, range, () => at).entries;
}

function entriesOf(keyspace: Keyspace, rows: Iterable<Row>, view: View, at: Instant): Entry[] {
  const entries: Entry[] = [];
  for (const row of rows) if (counts(keyspace, row, view, at)) entries.push(toEntry(row, keyspace.root));
  return entries;
}

function counts(keyspace: Keyspace, row: Row, view: View, at: Instant): boolean {
  return (permanent(row) || live(row, view, at)) && keyspace.visible(row.key);
}

/** A walk down to some depth, which steps over what lies deeper instead of reading it. */
class Walk {
  readonly entries: Entry[] = [];
  /** Relative, without their last slash. */
  readonly directories: string[] = [];
  private readonly view: View;
  private readonly keyspace: Keyspace;
  private readonly prefix: string;
  private readonly depth: number;
  private readonly at: Instant;

  constructor(view: View, keyspace: Keyspace, prefix: string, depth: number, at: Instant, options: { readonly values?: boolean }) {
    this.view = view;
    this.keyspace = keyspace;
    this.prefix = prefix;
    this.depth = depth;
    this.at = at;
    let from: string | undefined = prefix;
    while (from !== undefined) from = this.walk(from, options);
  }

  /** Walks until a directory is found that need not be looked into; where to go on then, undefined at the end. */
  private walk(from: string, options: { readonly values?: boolean }): string | undefined {
    for (const row of this.keyspace.rows(this.view, this.prefix, { ...options, from })) {
      if (!counts(this.keyspace, row, this.view, this.at)) continue;
      const below = this.deeper(row.key);
      if (below === undefined) {
        this.entries.push(toEntry(row, this.keyspace.root));
      } else {
        this.directories.push(this.keyspace.relative(below.slice(0, -1)));
        return prefixEnd(below);
      }
    }
    return undefined;
  }

  /** The prefix of the directory at our depth that the key lies below; undefined for a key that is not deeper. */
  private deeper(key: string): string | undefined {
    let end = this.prefix.length - 1;
    for (let level = 0; level < this.depth; level++) {
      end = key.indexOf('/', end + 1);
      if (end === -1) return undefined;
    }
    return key.slice(0, end + 1);
  }
}
