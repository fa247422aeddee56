/** Listing: a range in one answer, which is one state; a level of it without the values below. */
import type { Coalescer } from '../../coalesce.js';
import type { Listing } from '../../driver.js';
import type { Entry } from '../../entry.js';
import { depthOf } from '../../key.js';
import type { Get, PrefixQuery } from '../../networked.js';
import type { Cluster } from './cluster.js';
import { type Got, modeQuery, read, type ReadMode } from './get.js';
import { entryOf, isSeen, type Keyspace, ownRecords } from './keyspace.js';
import { parsed } from './wire.js';

export interface ListOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly gets: Coalescer<Get, Got>;
  readonly mode: ReadMode;
  /** ms for each round trip */
  readonly timeout: number;
}

/** Keys of a level that are read one by one; of more, all that lies below is read instead. */
const mostOfLevel = 1024;
/** How often a level is read anew because it was written meanwhile. */
const mostTries = 3;

/** @throws KvError */
export async function list(query: PrefixQuery, options: ListOptions): Promise<Listing> {
  if (query.depth === undefined) return whole(query, options);
  const { keyspace, mode } = options;
  // Two stale reads may be of two servers, and the second of an earlier state.
  const stepwise = mode !== 'stale' && keyspace.takesPath(keyspace.key(query.prefix));
  for (let attempt = 1; stepwise && attempt <= mostTries; attempt++) {
    const level = await levelOf(query, query.depth, options);
    if (level !== undefined) return level;
  }
  return whole(query, options);
}

async function whole(query: PrefixQuery, options: ListOptions): Promise<Listing> {
  const { cluster, keyspace, mode, timeout } = options;
  const { pairs, index } = await read(cluster, keyspace, { key: keyspace.key(query.prefix), tree: true, query: modeQuery(mode), timeout });
  const level = new Level(query);
  for (const pair of pairs) {
    const key = keyspace.within(query, pair.Key);
    if (key !== undefined && level.shows(key)) level.entries.push(entryOf(pair, key));
  }
  // Where there is no index: that of its last write, which is no later.
  const revision = index > 0n ? index : level.entries.reduce((last, entry) => (entry.revision > last ? entry.revision : last), 0n);
  return { entries: level.entries, directories: [...level.directories], revision };
}

/**
 * The keys of a level by their names, then their values: one state where none of them was written since the names were
 * read. undefined where one was, or where there are too many.
 */
async function levelOf(query: PrefixQuery, depth: number, options: ListOptions): Promise<Listing | undefined> {
  const { cluster, keyspace, gets, mode, timeout } = options;
  const prefix = keyspace.key(query.prefix);
  const wanted = { keys: '', ...(depth === 1 ? { separator: '/' } : {}), ...modeQuery(mode) };
  const answer = await cluster.call({ method: 'GET', path: '/kv/{key}', key: prefix, query: wanted }, { repeatable: true, timeout });
  const names = answer.status === 404 ? [] : parsed<readonly string[]>(answer);
  const level = new Level(query);
  const keys: string[] = [];
  for (const name of names) {
    if (depth === 1 && name.endsWith('/')) level.directory(keyspace, name);
    else {
      const key = keyspace.within(query, name);
      if (key !== undefined && level.shows(key)) keys.push(key);
    }
  }
  if (keys.length > mostOfLevel) return undefined;
  const pairs = await Promise.all(keys.map(async key => gets({ key, values: true, timeout, abandoned: false })));
  for (const [i, pair] of pairs.entries()) {
    if (pair === undefined || BigInt(pair.ModifyIndex) > answer.index) return undefined;
    level.entries.push(entryOf(pair, keys[i] as string));
  }
  return { entries: level.entries, directories: [...level.directories], revision: answer.index };
}

/** What of a range's keys is shown, and the directories that are only named. */
class Level {
  readonly entries: Entry[] = [];
  readonly directories: Set<string> = new Set();
  private readonly query: PrefixQuery;

  constructor(query: PrefixQuery) {
    this.query = query;
  }

  /** Whether a key lies high enough; else it takes note of the directory that hides it. */
  shows(key: string): boolean {
    const { prefix, depth } = this.query;
    const below = key.slice(prefix.length);
    if (depth === undefined || depthOf(below) <= depth) return true;
    this.directories.add(prefix + below.split('/', depth).join('/'));
    return false;
  }

  /** Takes note of a directory that Consul names itself, its slash included. */
  directory(keyspace: Keyspace, name: string): void {
    const directory = name.slice(keyspace.root.length);
    // Any key in it tells whether it is ours to show.
    if (directory === ownRecords && !isSeen(this.query, ownRecords)) return;
    if (keyspace.relative(name.slice(0, -1)) !== undefined) this.directories.add(directory.slice(0, -1));
  }
}
