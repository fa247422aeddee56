/** Reconciling: making a tree what a backend says it is, while keeping all that did not change. */
import type { Change } from './driver.js';
import { type Entry, sameEntry } from './entry.js';
import { KvError } from './errors.js';
import { prefixEnd } from './key.js';
import { fromSorted, insert, iterate, remove, replaceRange, type Tree, walkChanges } from './tree.js';

// Up to n/8 differences are applied one by one: at 2-3 µs each that is about what building anew and then comparing
// all n entries in the next diff costs (100 000 keys: 2.4 + 10 ms).
const fewPer = 8;

/** The entries in strictly ascending key order; of a key that comes twice the last one counts. */
export function inKeyOrder(entries: readonly Entry[]): readonly Entry[] {
  if (ascending(entries)) return entries;
  const sorted = [...entries].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  // The sort is stable: of equal keys the last stands before a different one.
  return sorted.filter((entry, i) => sorted[i + 1]?.key !== entry.key);
}

/**
 * The tree of exactly these entries, which are in key order. An entry object of the old tree is kept where it is
 * the same write; the very same tree comes back where nothing changed; few differences leave the rest shared.
 */
export function reconciled(tree: Tree, entries: readonly Entry[]): Tree {
  if (tree === undefined) return fromSorted(entries);
  const kept: Entry[] = [];
  const gone: string[] = [];
  const fresh: Entry[] = [];
  const old = iterate(tree);
  let was = old.next().value;
  for (const entry of entries) {
    while (was !== undefined && was.key !== entry.key && was.key < entry.key) {
      gone.push(was.key);
      was = old.next().value;
    }
    if (was === undefined || was.key !== entry.key) {
      kept.push(entry);
      fresh.push(entry);
      continue;
    }
    const same = sameEntry(was, entry);
    kept.push(same ? was : entry);
    if (!same) fresh.push(entry);
    was = old.next().value;
  }
  for (; was !== undefined; was = old.next().value) gone.push(was.key);
  if ((gone.length + fresh.length) * fewPer > tree.size) return fromSorted(kept);
  return fresh.reduce<Tree>((to, entry) => insert(to, entry), gone.reduce(remove, tree));
}

/** The tree after the changes, in order; the very same tree where they come to nothing. */
export function applied(tree: Tree, changes: readonly Change[]): Tree {
  const after = changes.reduce<Tree>(step, tree);
  return changes.length > 1 ? settled(tree, after) : after;
}

function step(tree: Tree, change: Change): Tree {
  if ('delete' in change) return remove(tree, change.delete);
  if ('replace' in change) return replaced(tree, change.replace, change.entries);
  return insert(tree, change.put, sameEntry);
}

/** Of several changes a later one may have undone an earlier one: what is the same write again is the same entry again. */
function settled(before: Tree, after: Tree): Tree {
  let tree = after;
  let differs = false;
  walkChanges(before, after, (was, is) => {
    if (was !== undefined && is !== undefined && sameEntry(was, is)) tree = insert(tree, was);
    else differs = true;
  });
  return differs ? tree : before;
}

function replaced(tree: Tree, prefix: string, entries: readonly Entry[]): Tree {
  const ordered = inKeyOrder(entries);
  // An entry elsewhere would break the order of the whole tree without a sign.
  if (ordered.some(entry => !entry.key.startsWith(prefix))) {
    throw new KvError('internal', `the driver replaced ${JSON.stringify(prefix)} with an entry outside of it`);
  }
  return replaceRange(tree, prefix === '' ? undefined : prefix, prefixEnd(prefix), inside => reconciled(inside, ordered));
}

function ascending(entries: readonly Entry[]): boolean {
  let last: string | undefined;
  for (const { key } of entries) {
    if (last !== undefined && last >= key) return false;
    last = key;
  }
  return true;
}
