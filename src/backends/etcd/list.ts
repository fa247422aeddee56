/** Listing: a range in pages that are pinned to one revision, so that together they are one state. */
import type { Listing } from '../../driver.js';
import type { Entry } from '../../entry.js';
import { depthOf } from '../../key.js';
import type { PrefixQuery } from '../../networked.js';
import type { Cluster } from './cluster.js';
import { isCompacted } from './errors.js';
import { afterKey, afterPrefix, entryOf, type Keyspace, ownRecords } from './keyspace.js';
import type { Header, Kv, RangeResponse } from './wire.js';

export interface ListOptions {
  /** ms for each page */
  readonly timeout: number;
  readonly serializable?: boolean;
  /** Called after each page. */
  readonly turned?: () => void;
}

export interface PinnedListing extends Listing {
  readonly header: Header;
}

/** Keys in one page. Where whole directories are stepped over, what lies in them is read for nothing. */
const pageOfAll = 2000;
const pageOfLevels = 200;
/** How often a list starts anew because its revision was compacted while it turned pages. */
const mostStarts = 5;

/** @throws KvError */
export async function list(cluster: Cluster, keyspace: Keyspace, query: PrefixQuery, options: ListOptions): Promise<PinnedListing> {
  for (let start = 1; ; start++) {
    try {
      return await pages(cluster, keyspace, query, options);
    } catch (error) {
      if (!isCompacted(error) || start === mostStarts) throw error;
    }
  }
}

async function pages(
  cluster: Cluster,
  keyspace: Keyspace,
  query: PrefixQuery,
  { timeout, serializable = false, turned }: ListOptions,
): Promise<PinnedListing> {
  const { key, range_end: end } = keyspace.range(query);
  const level = new Level(keyspace, query);
  const limit = query.depth === undefined ? pageOfAll : pageOfLevels;
  let from: Uint8Array = key;
  let first: Header | undefined;
  for (;;) {
    const request = {
      key: from,
      ...(end === undefined ? {} : { range_end: end }),
      limit,
      keys_only: query.values === false,
      serializable,
      ...(first === undefined ? {} : { revision: first.revision }),
    };
    const page: RangeResponse = await cluster.call({
      send: (client, sending) => client.range(request, sending),
      repeatable: true,
      timeout,
    });
    first ??= page.header;
    turned?.();
    const next = level.read(page);
    if (next === undefined) {
      return { entries: level.entries, directories: [...level.directories], revision: BigInt(first.revision), header: first };
    }
    from = next;
  }
}

/** What of a range's keys is shown, and the directories that are only named. */
class Level {
  readonly entries: Entry[] = [];
  readonly directories: Set<string> = new Set();
  private readonly keyspace: Keyspace;
  private readonly range: PrefixQuery;

  constructor(keyspace: Keyspace, range: PrefixQuery) {
    this.keyspace = keyspace;
    this.range = range;
  }

  /** Takes a page; where the next one begins, if there is one. */
  read({ kvs, more }: RangeResponse): Uint8Array | undefined {
    let over: string | undefined;
    for (const kv of kvs) over = this.take(kv);
    const last = kvs.at(-1);
    if (!more || last === undefined) return undefined;
    return over === undefined ? afterKey(last.key) : afterPrefix(this.keyspace.key(over));
  }

  /** The directory that hides this key, if one does: nothing in it is of interest. */
  private take(kv: Kv): string | undefined {
    const { prefix, depth } = this.range;
    const key = this.keyspace.relative(kv.key);
    if (key === undefined) return undefined;
    if (prefix === '' && key.startsWith(ownRecords)) return ownRecords;
    const below = key.slice(prefix.length);
    if (depth === undefined || depthOf(below) <= depth) {
      this.entries.push(entryOf(kv, key));
      return undefined;
    }
    const directory = prefix + below.split('/', depth).join('/');
    this.directories.add(directory);
    return `${directory}/`;
  }
}
