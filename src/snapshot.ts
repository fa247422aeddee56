/** A snapshot: a directory as it was at one revision, immutable and in key order. */
import { childrenOf } from './children.js';
import { type Codec, decodeText, isPromise, undecodable } from './codec.js';
import type { Change } from './driver.js';
import { type Child, type Entry, renamed, sameEntry } from './entry.js';
import { KvError } from './errors.js';
import { depthOf, trim } from './key.js';
import { applied, inKeyOrder, reconciled } from './reconcile.js';
import { fromSorted, get, insert, iterate, set, sizeOf, type Tree, walkChanges } from './tree.js';

/**
 * A directory with all that is below it, at one revision.
 *
 * Ordered by key: JavaScript's string order, on every backend. A change makes a new snapshot that shares the
 * rest; where nothing changed the very same object comes again. An entry object is kept as long as its
 * revision, token and bytes agree.
 */
export interface Snapshot extends Iterable<Entry> {
  /** As the viewer names it, without slashes around it; '' is the root. */
  readonly directory: string;
  readonly revision: bigint;
  /** How many keys there are, at any depth. */
  readonly size: number;
  get(key: string): Entry | undefined;
  has(key: string): boolean;
  keys(): IterableIterator<string>;
  entries(): IterableIterator<Entry>;
  /**
   * One level, ordered by name: that of the snapshot's own directory, or of one below it. An absent directory
   * has no children. What lies deeper is stepped over, however much it is.
   */
  children(directory?: string): Child[];
  /**
   * The values by key, flat, with keys relative to the directory and without a prototype.
   *
   * @param codec utf8 by default
   * @throws KvError `undecodable` with the key; `invalid` for a codec that is asynchronous
   * @example (await store.list('config')).toObject() // { colour: 'blue', 'http/port': '80' }
   */
  toObject<T = string>(codec?: Codec<T>): Record<string, T>;
}

/** What at() and depth show of a snapshot. */
export interface View {
  /** The directory as the viewer names it. */
  readonly directory: string;
  /** Characters dropped from the front of each key. */
  readonly strip: number;
  /** Segments below the source's directory that are kept; all by default. */
  readonly depth?: number;
}

/** A directory with nothing in it; an absent directory is the same. */
export function emptySnapshot(directory: string, revision: bigint): Snapshot {
  return new TreeSnapshot(directory, revision, undefined);
}

/** A snapshot of these entries in any order; of a key that comes twice the last one counts. */
export function snapshotOf(directory: string, entries: Iterable<Entry>, revision: bigint): Snapshot {
  return new TreeSnapshot(directory, revision, treeOfAll(entries));
}

/**
 * The snapshot made to hold exactly these entries: what did not change is shared, and the very same snapshot
 * comes back where nothing did. O(n), as the comparison is; few differences cost a later diff only themselves.
 */
export function reconcile(snapshot: Snapshot, entries: readonly Entry[], revision: bigint): Snapshot {
  return successor(snapshot, reconciled(treeOf(snapshot), inKeyOrder(entries)), revision);
}

/** The snapshot after an atomic batch of changes, in order; the very same where they come to nothing. O(changes · log n). */
export function applyChanges(snapshot: Snapshot, changes: readonly Change[], revision: bigint): Snapshot {
  const [change] = changes;
  if (changes.length === 1 && change !== undefined && 'put' in change) return withPut(snapshot, change.put, revision);
  return successor(snapshot, applied(treeOf(snapshot), changes), revision);
}

function withPut(snapshot: Snapshot, is: Entry, revision: bigint): Snapshot {
  const from = treeOf(snapshot);
  let was: Entry | undefined;
  const tree = insert(from, is, there => {
    was = there;
    return sameEntry(there, is);
  });
  return successor(snapshot, tree, revision, { from, was, is });
}

/** As {@link applyChanges}, of changes that have each key once; the rest of it would fill a small bundle. */
export function changed(snapshot: Snapshot, changes: readonly EntryChange[], revision: bigint): Snapshot {
  const step = (tree: Tree, { key, entry }: EntryChange): Tree => set(tree, key, entry, sameEntry);
  return successor(snapshot, changes.reduce(step, treeOf(snapshot)), revision);
}

interface EntryChange {
  readonly key: string;
  /** Left out where the key is gone. */
  readonly entry?: Entry | undefined;
}

/**
 * Visits, in key order, each key whose entry is not the same object in both: undefined stands for a snapshot that
 * has none, as `before` may be none itself. O(changes · log n) where one came of the other, else O(n).
 */
export function walk(
  before: Snapshot | undefined,
  after: Snapshot,
  visit: (previous: Entry | undefined, entry: Entry | undefined) => void,
): void {
  const from = before && treeOf(before);
  const { tree, step } = insideOf(after);
  if (step !== undefined && step.from === from) visit(step.was, step.is);
  else walkChanges(from, tree, visit);
}

/**
 * What a view shows of a snapshot: keys from its directory on, down to its depth. O(n) at first, O(changes · log n)
 * with what the same view showed of an earlier snapshot; that very object where nothing in view changed.
 */
export function project(source: Snapshot, view: View, previous?: { readonly source: Snapshot; readonly output: Snapshot }): Snapshot {
  if (view.strip === 0 && view.depth === undefined) return source;
  const base = prefixOf(source.directory).length;
  const shown = (key: string): boolean => view.depth === undefined || depthOf(key, base) <= view.depth;
  const seen = (entry: Entry): Entry => renamed(entry, entry.key.slice(view.strip));
  const all = (): Entry[] => [...source].filter(entry => shown(entry.key)).map(seen);
  if (previous === undefined) return snapshotOf(view.directory, all(), source.revision);

  const changes: Change[] = [];
  // Where an eighth changed, comparing all is cheaper than changing one by one (see reconcile.ts).
  const few = source.size / 8;
  walkChanges(treeOf(previous.source), treeOf(source), (was, is) => {
    const { key } = (is ?? was) as Entry;
    if (shown(key)) changes.push(is === undefined ? { delete: key.slice(view.strip) } : { put: seen(is) });
    return changes.length <= few;
  });
  if (changes.length > few) return reconcile(previous.output, all(), source.revision);
  return applyChanges(previous.output, changes, source.revision);
}

/** The one put that made a snapshot of the one before it, as most of a watch are made: nobody need look for what it changed. */
interface Step {
  /** The tree of the one before; not that snapshot, which would hold the one before it, and so on for ever. */
  readonly from: Tree;
  readonly was: Entry | undefined;
  readonly is: Entry;
}

/** What a snapshot is made of. */
interface Inside {
  readonly tree: Tree;
  readonly step: Step | undefined;
  /** Where diff() keeps its last answer: here and not in a WeakMap, so that both copies of the package share it. */
  changes?: unknown;
}

// Not #private and not instanceof: a snapshot of the CommonJS copy is compared by the ESM copy's diff(), and one behind a
// proxy, as some state libraries put it, is still one. The number changes with the shape of a node.
const inside: unique symbol = Symbol.for('rxkv.tree.3') as never;

/** What a snapshot is made of, also one that another copy of the package made; another implementation's is built. */
export function insideOf(snapshot: Snapshot): Inside {
  return (snapshot as { [inside]?: Inside })[inside] ?? { tree: treeOfAll(snapshot), step: undefined };
}

export function treeOf(snapshot: Snapshot): Tree {
  return insideOf(snapshot).tree;
}

function treeOfAll(entries: Iterable<Entry>): Tree {
  return fromSorted(inKeyOrder([...entries]));
}

class TreeSnapshot implements Snapshot {
  readonly directory: string;
  readonly revision: bigint;
  readonly size: number;
  declare readonly [inside]: Inside;

  constructor(directory: string, revision: bigint, tree: Tree, step?: Step) {
    this.directory = directory;
    this.revision = revision;
    this.size = sizeOf(tree);
    // Not enumerable, so that nobody prints or copies the tree by accident.
    Object.defineProperty(this, inside, { value: { tree, step, changes: undefined } });
  }

  get(key: string): Entry | undefined {
    const exact = get(this[inside].tree, key);
    if (exact !== undefined) return exact;
    const plain = trim(key);
    return plain === key ? undefined : get(this[inside].tree, plain);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  *keys(): IterableIterator<string> {
    for (const { key } of iterate(this[inside].tree)) yield key;
  }

  entries(): IterableIterator<Entry> {
    return iterate(this[inside].tree);
  }

  [Symbol.iterator](): IterableIterator<Entry> {
    return iterate(this[inside].tree);
  }

  children(directory: string = this.directory): Child[] {
    return childrenOf(this[inside].tree, prefixOf(trim(directory)));
  }

  toObject<T = string>(codec?: Codec<T>): Record<string, T> {
    // Without a codec T is string.
    if (codec !== undefined && typeof codec?.decode !== 'function')
      throw new KvError('invalid', 'toObject() takes a codec: this one has no decode');
    const decode = codec === undefined ? (decodeText as unknown as Codec<T>['decode']) : (value: Uint8Array) => codec.decode(value);
    const object = Object.create(null) as Record<string, T>;
    const strip = prefixOf(this.directory).length;
    for (const entry of this) object[entry.key.slice(strip)] = decodedNow(entry, decode);
    return object;
  }

  /** A summary: the keys and values of a large tree do not belong into a log line by accident. */
  toJSON(): { directory: string; revision: string; size: number } {
    return { directory: this.directory, revision: String(this.revision), size: this.size };
  }
}

function successor(snapshot: Snapshot, tree: Tree, revision: bigint, step?: Step): Snapshot {
  return tree === treeOf(snapshot) ? snapshot : new TreeSnapshot(snapshot.directory, revision, tree, step);
}

function decodedNow<T>(entry: Entry, decode: Codec<T>['decode']): T {
  let value: T | Promise<T>;
  try {
    value = decode(entry.value);
  } catch (error) {
    throw undecodable(error, entry.key);
  }
  if (!isPromise(value)) return value;
  // Nobody waits for it: its failure must not become an unhandled rejection.
  value.then(undefined, () => {});
  throw new KvError('invalid', 'toObject() needs a codec that decodes at once: use decode() for an asynchronous one', { key: entry.key });
}

function prefixOf(directory: string): string {
  return directory === '' ? '' : `${directory}/`;
}
