/**
 * Listing: a walk in which nothing is newer than the answer before it, which makes it the state at that answer; where
 * others write meanwhile, a feed of a moment.
 */
import { filter, firstValueFrom, map, type Observable, throwError, timeout as within } from 'rxjs';
import type { Feed, Listing, Range } from '../../driver.js';
import type { Entry } from '../../entry.js';
import { KvError } from '../../errors.js';
import { depthOf } from '../../key.js';
import type { PrefixQuery } from '../../networked.js';
import type { Cluster } from './cluster.js';
import type { Connection } from './connection.js';
import { backend } from './errors.js';
import type { Keyspace } from './keyspace.js';
import type { InTime } from './trips.js';
import { exists, type Node, sync } from './wire.js';
import { type Reads, readsOf, walk } from './walk.js';

export interface ListOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly feed$: (range: Range) => Observable<Feed>;
  /** ms for each round trip */
  readonly timeout: number;
  readonly strong: boolean;
  /** Gives up a round trip that takes longer. */
  readonly inTime: InTime;
}

/** How many walks are tried before the writes of others have to be watched. */
const tries = 2;

/** @throws KvError */
export async function list(query: PrefixQuery, options: ListOptions): Promise<Listing> {
  const { cluster, timeout } = options;
  for (let attempt = 0; attempt < tries; attempt++) {
    const listing = await cluster.call({
      send: connection => attemptOf(query, options, connection),
      repeatable: true,
      // Each round trip has its own; what ends the whole is a cut.
      timeout,
    });
    if (listing !== undefined) return listing;
  }
  return watched(query, options);
}

/** undefined where something was written in between. */
async function attemptOf(query: PrefixQuery, options: ListOptions, connection: Connection): Promise<Listing | undefined> {
  const { keyspace, timeout, strong, inTime } = options;
  const root = keyspace.at({ prefix: query.prefix });
  const anchor = connection.send<unknown>(strong ? sync(root) : exists('/'), performance.now() + timeout);
  anchor.catch(() => undefined);
  const level = new Level(keyspace, query);
  const reads = readsOf(request => inTime(connection.send(request, performance.now() + timeout)));
  let seen = 0;
  let expected = 1;
  await walk(reads, root, (path, node) => {
    seen++;
    const descends = level.take(path, node);
    if (descends) expected += node.stat.children;
    return descends;
  });
  const { zxid } = await inTime(anchor);
  // A child that had gone when its turn came was there at the anchor, and nobody knows what it was.
  if (level.newest > zxid || (seen < expected && seen > 0)) return undefined;
  return { entries: level.entries, directories: await level.directories(reads), revision: zxid };
}

/** The state that a feed of the range begins with. */
async function watched(query: PrefixQuery, { feed$, timeout }: ListOptions): Promise<Listing> {
  const late$ = throwError(() => new KvError('timeout', `list: nothing was heard for ${timeout} ms`, { backend }));
  const listing$ = feed$({ prefix: query.prefix }).pipe(
    within({ each: timeout, with: () => late$ }),
    filter(feed => feed.type === 'reset'),
    map(({ entries, revision }) => shallow(query, entries, revision)),
  );
  return firstValueFrom(listing$);
}

/** As much of a whole listing as the query wants. */
function shallow({ prefix, depth }: PrefixQuery, entries: readonly Entry[], revision: bigint): Listing {
  if (depth === undefined) return { entries, revision };
  const near: Entry[] = [];
  const directories = new Set<string>();
  for (const entry of entries) {
    const below = entry.key.slice(prefix.length);
    if (depthOf(below) <= depth) near.push(entry);
    else directories.add(prefix + below.split('/', depth).join('/'));
  }
  return { entries: near, directories: [...directories], revision };
}

/** What of a walk is shown, and the directories that are only named. */
class Level {
  readonly entries: Entry[] = [];
  newest = 0n;
  private readonly keyspace: Keyspace;
  private readonly query: PrefixQuery;
  private readonly root: string;
  /** Those at the depth that have children. */
  private readonly deeper: string[] = [];

  constructor(keyspace: Keyspace, query: PrefixQuery) {
    this.keyspace = keyspace;
    this.query = query;
    this.root = keyspace.at({ prefix: query.prefix });
  }

  /** Whether what lies below is wanted. */
  take(path: string, node: Node): boolean {
    const { keyspace, query } = this;
    const { mzxid, pzxid } = node.stat;
    if (path === this.root) {
      if (pzxid > this.newest) this.newest = pzxid;
      return true;
    }
    if (!keyspace.isSeen(query, path)) return false;
    if (mzxid > this.newest) this.newest = mzxid;
    const entry = keyspace.entry(path, node);
    if (entry !== undefined) this.entries.push(entry);
    if (query.depth === undefined || this.depth(path) < query.depth) {
      if (pzxid > this.newest) this.newest = pzxid;
      return true;
    }
    if (node.stat.children > 0) this.deeper.push(path);
    return false;
  }

  /** Those of them that hold keys: what is left of others' keys may be empty. */
  async directories(reads: Reads): Promise<string[]> {
    const held = await Promise.all(this.deeper.map(async path => this.holds(reads, path)));
    return this.deeper.flatMap((path, i) => (held[i] === true ? [this.keyspace.relative(path) ?? []].flat() : []));
  }

  private async holds(reads: Reads, path: string): Promise<boolean> {
    let holds = false;
    await walk(reads, path, (at, node) => {
      holds ||= at !== path && this.keyspace.entry(at, node) !== undefined;
      return !holds;
    });
    return holds;
  }

  private depth(path: string): number {
    return depthOf(path.slice(this.root === '/' ? 1 : this.root.length + 1));
  }
}
