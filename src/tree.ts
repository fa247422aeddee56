/**
 * A tree: entries ordered by key, persistent. A change makes a new tree in O(log n) that shares the rest.
 *
 * Weight-balanced (Adams), with the constants of Haskell's Data.Map. The order is JavaScript's order of
 * strings (UTF-16 units), on every backend: servers that order by UTF-8 bytes differ beyond the BMP.
 */
import type { Entry } from './entry.js';

export interface Node {
  /** That of the entry, which a search need not fetch for it. */
  readonly key: string;
  readonly entry: Entry;
  readonly left: Tree;
  readonly right: Tree;
  readonly size: number;
}

/** undefined is the empty tree. */
export type Tree = Node | undefined;

// No side may weigh over `delta` times the other; a side whose inner half weighs `ratio` times the outer needs
// the double rotation. (3, 2) is the one pair of integers for which insert, remove and link all keep balance.
const delta = 3;
const ratio = 2;

export function sizeOf(tree: Tree): number {
  return tree === undefined ? 0 : tree.size;
}

export function get(tree: Tree, key: string): Entry | undefined {
  // One comparison a level, and one at the end: most keys lie at the bottom.
  let candidate: Entry | undefined;
  for (let at = tree; at !== undefined; ) {
    if (key < at.key) {
      at = at.left;
    } else {
      candidate = at.entry;
      at = at.right;
    }
  }
  return candidate?.key === key ? candidate : undefined;
}

/**
 * The tree with the entry in it; the very same tree when it already holds one that `same` accepts in its place,
 * which by default is this object.
 */
export function insert(tree: Tree, entry: Entry, same: Same = Object.is): Node {
  // A tree with an entry in it is not empty.
  return set(tree, entry.key, entry, same) as Node;
}

/** The tree without the key; the very same tree when it was not there. */
export function remove(tree: Tree, key: string): Tree {
  return set(tree, key, undefined, Object.is);
}

type Same = (was: Entry, entry: Entry) => boolean;

/** {@link insert} where there is an entry, else {@link remove}. */
export function set(tree: Tree, key: string, entry: Entry | undefined, same: Same): Tree {
  if (tree === undefined) return entry && node(entry, undefined, undefined);
  if (key < tree.key) {
    const left = set(tree.left, key, entry, same);
    if (left === tree.left) return tree;
    return sizeOf(left) === sizeOf(tree.left) ? alike(tree, tree.entry, left, tree.right) : balance(tree.entry, left, tree.right);
  }
  if (key === tree.key) {
    if (entry === undefined) return glue(tree.left, tree.right);
    return same(tree.entry, entry) ? tree : alike(tree, entry, tree.left, tree.right);
  }
  const right = set(tree.right, key, entry, same);
  if (right === tree.right) return tree;
  return sizeOf(right) === sizeOf(tree.right) ? alike(tree, tree.entry, tree.left, right) : balance(tree.entry, tree.left, right);
}

/** O(n), of entries in strictly ascending order of their keys. */
export function fromSorted(entries: readonly Entry[], from = 0, to: number = entries.length): Tree {
  if (from >= to) return undefined;
  const middle = (from + to) >>> 1;
  return node(entries[middle] as Entry, fromSorted(entries, from, middle), fromSorted(entries, middle + 1, to));
}

/** The entries with `from <= key < to` in key order; a bound that is left out is open. */
export function* iterate(tree: Tree, from?: string, to?: string): Generator<Entry, void, undefined> {
  const path: Node[] = [];
  for (let at = tree; at !== undefined; ) {
    if (from !== undefined && at.key < from) {
      at = at.right;
    } else {
      path.push(at);
      at = at.left;
    }
  }
  for (let next = path.pop(); next !== undefined; next = path.pop()) {
    if (to !== undefined && next.key >= to) return;
    yield next.entry;
    for (let at = next.right; at !== undefined; at = at.left) path.push(at);
  }
}

/** The entries with keys below `key`, and the others, in O(log n). */
export function split(tree: Tree, key: string): [below: Tree, others: Tree] {
  if (tree === undefined) return [undefined, undefined];
  if (tree.key < key) {
    const [below, others] = split(tree.right, key);
    return [link(tree.entry, tree.left, below), others];
  }
  const [below, others] = split(tree.left, key);
  return [below, link(tree.entry, others, tree.right)];
}

/** One tree of two, in O(log n), where all keys of the first are below all keys of the second. */
export function merge(left: Tree, right: Tree): Tree {
  if (left === undefined) return right;
  if (right === undefined) return left;
  if (delta * left.size < right.size) return balance(right.entry, merge(left, right.left), right.right);
  if (delta * right.size < left.size) return balance(left.entry, left.left, merge(left.right, right));
  return glue(left, right);
}

/**
 * The tree with what `change` makes of the entries with `from <= key < to`; the very same tree when `change`
 * gives back what it got. O(log n) besides `change`. A bound that is left out is open.
 */
export function replaceRange(tree: Tree, from: string | undefined, to: string | undefined, change: (inside: Tree) => Tree): Tree {
  const [below, rest] = from === undefined ? [undefined, tree] : split(tree, from);
  const [inside, above] = to === undefined ? [rest, undefined] : split(rest, to);
  const changed = change(inside);
  return changed === inside ? tree : merge(merge(below, changed), above);
}

/**
 * Visits, in key order, each key whose entry is not the same object in both trees: undefined stands for a tree
 * that has none. A visit that returns false ends the walk, which then returns false.
 *
 * Right for any two trees, whatever their shapes: O(changes · log n) where one came of the other, since what
 * they share is stepped over, and O(n) where they have nothing in common.
 */
export function walkChanges(before: Tree, after: Tree, visit: Visit): boolean {
  if (before === after) return true;
  const { key } = (after ?? before) as Node;
  const { left, entry, right } = parted(before, key);
  return (
    walkChanges(left, after?.left, visit) &&
    (entry === after?.entry || visit(entry, after?.entry) !== false) &&
    walkChanges(right, after?.right, visit)
  );
}

type Visit = (previous: Entry | undefined, entry: Entry | undefined) => unknown;

/** A tree taken apart at a key, which it need not have. */
type Parts = Pick<Node, 'left' | 'right'> & { readonly entry?: Entry };

/**
 * Where nothing was rotated the key is on top, and the tree is its own parts. Else only the way to the key is
 * made anew, without balancing it: a walk drops it again, and finds what both trees share as it was.
 */
function parted(tree: Tree, key: string): Parts {
  if (tree === undefined) return nothing;
  if (tree.key === key) return tree;
  if (key < tree.key) {
    const { left, entry, right } = parted(tree.left, key);
    return { left, entry, right: node(tree.entry, right, tree.right) };
  }
  const { left, entry, right } = parted(tree.right, key);
  return { left: node(tree.entry, tree.left, left), entry, right };
}

const nothing: Parts = { left: undefined, right: undefined };

function node(entry: Entry, left: Tree, right: Tree): Node {
  return { key: entry.key, entry, left, right, size: sizeOf(left) + sizeOf(right) + 1 };
}

/** A node of another's key that weighs what it does, side by side: in balance as that is, without a look at the sides. */
function alike({ key, size }: Node, entry: Entry, left: Tree, right: Tree): Node {
  return { key, entry, left, right, size };
}

/** A node of two sides that were in balance before one of them changed by one entry. */
function balance(entry: Entry, left: Tree, right: Tree): Node {
  const onLeft = sizeOf(left);
  const onRight = sizeOf(right);
  if (onLeft + onRight > 1) {
    if (right !== undefined && onRight > delta * onLeft) return rotateLeft(entry, left, right);
    if (left !== undefined && onLeft > delta * onRight) return rotateRight(entry, left, right);
  }
  return node(entry, left, right);
}

function rotateLeft(entry: Entry, left: Tree, right: Node): Node {
  const inner = right.left;
  if (inner === undefined || inner.size < ratio * sizeOf(right.right)) return node(right.entry, node(entry, left, inner), right.right);
  return node(inner.entry, node(entry, left, inner.left), node(right.entry, inner.right, right.right));
}

function rotateRight(entry: Entry, left: Node, right: Tree): Node {
  const inner = left.right;
  if (inner === undefined || inner.size < ratio * sizeOf(left.left)) return node(left.entry, left.left, node(entry, inner, right));
  return node(inner.entry, node(left.entry, left.left, inner.left), node(entry, inner.right, right));
}

/** A node of two sides of any sizes. */
function link(entry: Entry, left: Tree, right: Tree): Node {
  if (left === undefined) return insert(right, entry);
  if (right === undefined) return insert(left, entry);
  if (delta * left.size < right.size) return balance(right.entry, link(entry, left, right.left), right.right);
  if (delta * right.size < left.size) return balance(left.entry, left.left, link(entry, left.right, right));
  return node(entry, left, right);
}

/** One tree of two that are in balance with each other. */
function glue(left: Tree, right: Tree): Tree {
  if (left === undefined) return right;
  if (right === undefined) return left;
  const first = firstOf(right);
  return balance(first, left, remove(right, first.key));
}

function firstOf({ left, entry }: Node): Entry {
  return left === undefined ? entry : firstOf(left);
}
