/** Children: the names directly below a directory. */
import type { Child } from './entry.js';
import { prefixEnd } from './key.js';
import { iterate, type Tree } from './tree.js';

/** Those below a prefix, ordered by name. What lies deeper is stepped over. */
export function childrenOf(tree: Tree, prefix: string): Child[] {
  const children = new Map<string, Child>();
  const end = prefixEnd(prefix);
  let entries = iterate(tree, prefix, end);
  for (let next = entries.next(); next.done !== true; next = entries.next()) {
    const entry = next.value;
    const slash = entry.key.indexOf('/', prefix.length);
    const directory = slash !== -1;
    const key = directory ? entry.key.slice(0, slash) : entry.key;
    const name = key.slice(prefix.length);
    children.set(name, directory ? { ...children.get(name), name, key, directory } : { name, key, directory, entry });
    // On behind all that the directory has.
    if (directory) entries = iterate(tree, prefixEnd(`${key}/`), end);
  }
  // `a-b` sorts before `a/b`, but the name `a` before the name `a-b`.
  return [...children.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
