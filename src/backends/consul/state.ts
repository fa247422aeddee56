/** A state: what a feed knows of its range, so that an answer comes to no more than what is new in it. */
import type { Change, Range } from '../../driver.js';
import { type Entry, sameEntry } from '../../entry.js';
import { entryOf, type Keyspace } from './keyspace.js';
import type { KvPair } from './wire.js';

/** A pair without its value, and the entry that was made of it. */
interface Known {
  readonly pair: Omit<KvPair, 'Value'>;
  readonly entry: Entry;
}

export interface Level {
  readonly directories: ReadonlySet<string>;
  readonly leaves: number;
}

export class State {
  private readonly keyspace: Keyspace;
  private readonly range: Range;
  /** In the order in which Consul tells them. */
  private known: readonly Known[] = [];

  constructor(keyspace: Keyspace, range: Range) {
    this.keyspace = keyspace;
    this.range = range;
  }

  get size(): number {
    return this.known.length;
  }

  get entries(): readonly Entry[] {
    return this.known.map(({ entry }) => entry);
  }

  /** The first level below a prefix, as Consul knows it: its directories, and how many keys are besides. */
  level(prefix: string): Level {
    const directories = new Set<string>();
    let leaves = 0;
    let last = '';
    for (const { pair } of this.known) {
      if (last !== '' && pair.Key.startsWith(last)) continue;
      const end = pair.Key.indexOf('/', prefix.length);
      if (end === -1) leaves++;
      else directories.add((last = pair.Key.slice(0, end + 1)));
    }
    return { directories, leaves };
  }

  /**
   * Takes what is there now; what changed since.
   *
   * @param trusted  whether equal indices mean equal bytes: not where data may have been lost in between
   */
  take(pairs: readonly KvPair[], trusted: boolean): Change[] {
    return this.replace(() => true, pairs, trusted);
  }

  /** As {@link take}, of those keys alone that `covers` holds for. */
  replace(covers: (key: string) => boolean, pairs: readonly KvPair[], trusted: boolean): Change[] {
    const changes: Change[] = [];
    const before: Known[] = [];
    const beside: Known[] = [];
    for (const each of this.known) (covers(each.pair.Key) ? before : beside).push(each);
    const now: Known[] = [];
    // Mostly the keys are the same ones in the same order.
    let others: Map<string, Known> | undefined;
    const matched = new Set<Known>();
    for (const pair of pairs) {
      let old = before[now.length];
      if (old?.pair.Key !== pair.Key) {
        others ??= new Map(before.map(each => [each.pair.Key, each]));
        old = others.get(pair.Key);
      }
      const known = this.knownOf(pair, old, trusted);
      if (known === undefined) continue;
      if (old !== undefined) matched.add(old);
      if (known.entry !== old?.entry) changes.push({ put: known.entry });
      now.push(known);
    }
    if (matched.size < before.length) for (const old of before) if (!matched.has(old)) changes.push({ delete: old.entry.key });
    this.known = beside.length === 0 ? now : beside.concat(now);
    return changes;
  }

  private knownOf(pair: KvPair, old: Known | undefined, trusted: boolean): Known | undefined {
    if (old !== undefined && trusted && isSame(old.pair, pair)) return old;
    const key = old?.entry.key ?? this.keyspace.within(this.range, pair.Key);
    if (key === undefined) return undefined;
    const entry = entryOf(pair, key);
    const { Value: _, ...rest } = pair;
    return { pair: rest, entry: old !== undefined && sameEntry(old.entry, entry) ? old.entry : entry };
  }
}

function isSame(a: Known['pair'], b: KvPair): boolean {
  return a.ModifyIndex === b.ModifyIndex && a.CreateIndex === b.CreateIndex && a.Session === b.Session && a.Flags === b.Flags;
}
