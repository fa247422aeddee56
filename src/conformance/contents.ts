/** Contents: what entries and snapshots hold, in a form that tests compare. */
import type { Entry } from '../entry.js';
import type { Snapshot } from '../snapshot.js';
import { text } from '../text.js';

/** Keys in the snapshot's own order. */
export function keysOf(entries: Iterable<Entry>): string[] {
  return Array.from(entries, entry => entry.key);
}

/** Keys with their values as text. */
export function pairsOf(entries: Iterable<Entry>): Record<string, string> {
  return Object.fromEntries(Array.from(entries, entry => [entry.key, text(entry)]));
}

/** One line for each state, so that states can be looked up in a history. */
export function stateOf(entries: Iterable<Entry> | ReadonlyMap<string, string>): string {
  const pairs = entries instanceof Map ? [...entries] : Array.from(entries as Iterable<Entry>, entry => [entry.key, text(entry)]);
  return JSON.stringify(pairs.sort(([a], [b]) => order(a as string, b as string)));
}

/** JavaScript string order: that of every listing. */
export function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function bytesOf(entry: Entry | undefined): number[] | undefined {
  return entry === undefined ? undefined : [...entry.value];
}

/** Whether the snapshot holds these keys and no others, in any order. */
export function holds(snapshot: Snapshot, keys: readonly string[]): boolean {
  return snapshot.size === keys.length && keys.every(key => snapshot.has(key));
}
