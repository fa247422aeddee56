/**
 * Branches: what changed in a large tree, found by the indices of its prefixes instead of reading all of it.
 *
 * Consul tells an index of any prefix, which moves with what is below it alone. So the changed directories are found by
 * descending along their names, and only they are read. That adds up to one state where nothing
 * that was seen is newer than the names of the first level.
 */
import type { Get } from '../../networked.js';
import type { Cluster } from './cluster.js';
import { type Got, modeQuery, read } from './get.js';
import type { Coalescer } from '../../coalesce.js';
import type { Keyspace } from './keyspace.js';
import type { Level } from './state.js';
import { type KvPair, type Names, namesIn, namesOf } from './wire.js';

export interface BranchesOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly gets: Coalescer<Get, Got>;
  /** ms for one round trip */
  readonly timeout: number;
}

/** Parts of a tree as they are at the index: whole directories, and the keys of the first level. */
export interface Growth {
  readonly index: bigint;
  readonly parts: readonly Part[];
}

export interface Part {
  /** Whether a key, as Consul knows it, is in this part. */
  readonly covers: (key: string) => boolean;
  readonly pairs: readonly KvPair[];
}

/** Keys of the first level that are read one by one. */
const mostLeaves = 256;
/** Directories that are asked for their index one by one. */
const fewDirectories = 6;
/** How often the whole may move while it is looked through. */
const mostRounds = 4;

export class Branches {
  private readonly options: BranchesOptions;
  private readonly prefix: string;
  /** The index up to which all is known, for directories that were not read since. */
  private since: bigint;
  /** The newest index of anything that was seen in this round. */
  private newest = 0n;
  /** Of directories that were read since. */
  private readonly read: Map<string, bigint> = new Map();

  /**
   * @param prefix  as Consul knows it
   * @param since  the index of the last whole answer
   */
  constructor(options: BranchesOptions, prefix: string, since: bigint) {
    this.options = options;
    this.prefix = prefix;
    this.since = since;
  }

  /**
   * What changed since the last growth, or since the beginning; undefined where it is cheaper to read all of it, and
   * where it never came to rest.
   *
   * @param known  the first level as far as it is known
   * @param told  the first level as Consul tells it
   */
  async grow(known: Level, told: Names): Promise<Growth | undefined> {
    const parts: Part[] = [];
    let level = told;
    for (let round = 1; round <= mostRounds; round++) {
      if (round > 1) level = await this.names(this.prefix);
      const directories = level.names.filter(name => name.endsWith('/'));
      const leaves = level.names.filter(name => !name.endsWith('/'));
      if (!pays({ directories: { size: directories.length }, leaves: leaves.length })) return undefined;
      this.newest = level.index;
      const changed = await this.changed(directories);
      parts.push(...(await Promise.all(changed.map(async directory => this.directory(directory)))));
      const there = new Set(directories);
      for (const gone of known.directories) if (!there.has(gone)) parts.push({ covers: key => key.startsWith(gone), pairs: [] });
      if (leaves.length + known.leaves > 0) parts.push(await this.leaves(leaves));
      // Nothing that was seen is newer than the names: so all of it was so at their index.
      if (this.newest === level.index) return this.grown(level.index, parts);
    }
    return undefined;
  }

  private grown(index: bigint, parts: readonly Part[]): Growth {
    this.since = index;
    this.read.clear();
    return { index, parts };
  }

  /** Those of the directories whose index has moved. They are in order, and so share the beginnings of their names. */
  private async changed(directories: readonly string[]): Promise<string[]> {
    const groups = directories.length <= fewDirectories ? directories.map(name => [name]) : byNextLetter(directories);
    const found = await Promise.all(
      groups.map(async group => {
        const [first = ''] = group;
        const { index } = await this.names(group.length === 1 ? first : shared(group));
        if (index > this.newest) this.newest = index;
        if (group.every(name => index <= (this.read.get(name) ?? this.since))) return [];
        return group.length === 1 ? group : this.changed(group);
      }),
    );
    return found.flat();
  }

  private async directory(directory: string): Promise<Part> {
    const { cluster, keyspace, timeout } = this.options;
    const { pairs, index } = await read(cluster, keyspace, { key: directory, tree: true, query: modeQuery('consistent'), timeout });
    this.read.set(directory, index);
    if (index > this.newest) this.newest = index;
    return { covers: key => key.startsWith(directory), pairs };
  }

  private async leaves(leaves: readonly string[]): Promise<Part> {
    const { gets, keyspace, timeout } = this.options;
    const keys = leaves.map(name => name.slice(keyspace.root.length));
    const pairs = await Promise.all(keys.map(async key => gets({ key, values: true, timeout, abandoned: false })));
    for (const pair of pairs) {
      // One that is gone went after its name was read.
      const index = pair === undefined ? this.newest + 1n : BigInt(pair.ModifyIndex);
      if (index > this.newest) this.newest = index;
    }
    const { length } = this.prefix;
    return { covers: key => key.indexOf('/', length) === -1, pairs: pairs.filter(pair => pair !== undefined) };
  }

  private async names(prefix: string): Promise<Names> {
    const { cluster, timeout } = this.options;
    const { query, ...request } = namesOf(prefix);
    // A leader that was just elected may be behind, and would say of what has changed that it has not.
    const asked = { ...request, query: { ...query, ...modeQuery('consistent') } };
    return namesIn(await cluster.call(asked, { repeatable: true, timeout }));
  }
}

/** Whether a tree is to be looked through: not one with too many keys side by side. */
export function pays({ directories, leaves }: { readonly directories: { readonly size: number }; readonly leaves: number }): boolean {
  return leaves <= mostLeaves && directories.size > 0;
}

/** The directories in groups, each with one more letter in common. */
function byNextLetter(directories: readonly string[]): string[][] {
  const { length } = shared(directories);
  const groups = new Map<string, string[]>();
  for (const name of directories) {
    const letter = String.fromCodePoint(name.codePointAt(length) ?? 0);
    const group = groups.get(letter);
    if (group === undefined) groups.set(letter, [name]);
    else group.push(name);
  }
  return [...groups.values()];
}

/** What all begin with, never half a letter. */
function shared([first = '', ...others]: readonly string[]): string {
  let length = first.length;
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length--;
  const last = first.charCodeAt(length - 1);
  return first.slice(0, last >= 0xd800 && last < 0xdc00 ? length - 1 : length);
}
