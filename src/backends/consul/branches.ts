/**
 * Branches: what changed in a large tree, found by the indices of its prefixes instead of reading all of it.
 *
 * Consul tells an index of any prefix, which moves with what is below it alone. So the changed directories are found by
 * descending along their names, and only they are read. That adds up to one state where the index of the whole has not
 * moved meanwhile.
 */
import type { Cluster } from './cluster.js';
import { type Get, type Got, read } from './get.js';
import type { Coalescer } from '../../coalesce.js';
import type { Keyspace } from './keyspace.js';
import { type KvPair, parsed } from './wire.js';

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

/** The names of a level, and the index of all below it. */
interface Names {
  readonly names: readonly string[];
  readonly index: bigint;
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
  private readonly since: bigint;
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
   * @param known  the directories of the first level that are known
   */
  async grow(known: ReadonlySet<string>): Promise<Growth | undefined> {
    const parts: Part[] = [];
    let level = await this.names(this.prefix);
    for (let round = 1; round <= mostRounds; round++) {
      const directories = level.names.filter(name => name.endsWith('/'));
      const leaves = level.names.filter(name => !name.endsWith('/'));
      if (leaves.length > mostLeaves || directories.length === 0) return undefined;
      const changed = await this.changed(directories);
      parts.push(...(await Promise.all(changed.map(async directory => this.directory(directory)))));
      const there = new Set(directories);
      for (const gone of known) if (!there.has(gone)) parts.push({ covers: key => key.startsWith(gone), pairs: [] });
      parts.push(await this.level(leaves));
      const after = await this.names(this.prefix);
      if (after.index === level.index) return { index: after.index, parts };
      level = after;
    }
    return undefined;
  }

  /** Those of the directories whose index has moved. They are in order, and so share the beginnings of their names. */
  private async changed(directories: readonly string[]): Promise<string[]> {
    const groups = directories.length <= fewDirectories ? directories.map(name => [name]) : byNextLetter(directories);
    const found = await Promise.all(
      groups.map(async group => {
        const [first = ''] = group;
        const { index } = await this.names(group.length === 1 ? first : shared(group));
        if (group.every(name => index <= (this.read.get(name) ?? this.since))) return [];
        return group.length === 1 ? group : this.changed(group);
      }),
    );
    return found.flat();
  }

  private async directory(directory: string): Promise<Part> {
    const { cluster, keyspace, timeout } = this.options;
    const { pairs, index } = await read(cluster, keyspace, { key: directory, tree: true, query: {}, timeout });
    this.read.set(directory, index);
    return { covers: key => key.startsWith(directory), pairs };
  }

  private async level(leaves: readonly string[]): Promise<Part> {
    const { gets, timeout } = this.options;
    const pairs = await Promise.all(leaves.map(async key => gets({ key, timeout, abandoned: false })));
    const { length } = this.prefix;
    return { covers: key => key.indexOf('/', length) === -1, pairs: pairs.filter(pair => pair !== undefined) };
  }

  private async names(prefix: string): Promise<Names> {
    const { cluster, timeout } = this.options;
    const query = { keys: '', separator: '/' };
    const answer = await cluster.call({ method: 'GET', path: '/kv/{key}', key: prefix, query }, { repeatable: true, timeout });
    return { names: answer.status === 404 ? [] : parsed<readonly string[]>(answer), index: answer.index };
  }
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
