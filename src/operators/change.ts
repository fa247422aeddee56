/** A change: what became of one key between two snapshots. */
import { type Entry, sameBytes } from '../entry.js';
import { insideOf, type Snapshot, walk } from '../snapshot.js';

/** `initial` marks what was there when the subscription began, as against what happened since. */
export type TreeChange =
  | { readonly type: 'added'; readonly key: string; readonly entry: Entry; readonly previous?: undefined; readonly initial: boolean }
  | { readonly type: 'modified'; readonly key: string; readonly entry: Entry; readonly previous: Entry; readonly initial: boolean }
  | { readonly type: 'deleted'; readonly key: string; readonly entry?: undefined; readonly previous: Entry; readonly initial: boolean };

/** What one snapshot changed, whole: what a transaction wrote is in one batch. */
export interface TreeDelta {
  /** In key order; frozen, and shared with other subscribers. */
  readonly changes: readonly TreeChange[];
  /** The first batch of a subscription, which says "synced" also when it is empty. */
  readonly initial: boolean;
  readonly directory: string;
  readonly revision: bigint;
  /** The state after the changes. An entry of it may lag in revision where its value was written again. */
  readonly snapshot: Snapshot;
}

/**
 * When an entry counts as modified. `value`: its bytes differ, which is the same on every backend. `revision`:
 * bytes, revision or token differ, so that a write of an equal value counts where the backend records one.
 */
export type ModifiedBy = 'value' | 'revision';

export interface DiffOptions {
  /** `revision` makes a write of an equal value count as modified, where the backend records one; value by default */
  readonly by?: ModifiedBy;
  /** `skip` leaves out the changes of what was there at first; emit by default */
  readonly initial?: 'emit' | 'skip';
}

/**
 * What happened between two snapshots, in key order; all of `after` is added where there is no `before`.
 *
 * The later snapshot remembers its last answer, so that fifty subscribers of one shared watch, each with its own
 * diff(), compare once.
 */
export function changesBetween(before: Snapshot | undefined, after: Snapshot, by: ModifiedBy): readonly TreeChange[] {
  const from = before && insideOf(before).tree;
  const initial = before === undefined;
  const memory = insideOf(after);
  const last = memory.changes as Answer | undefined;
  if (last !== undefined && last.from === from && last.by === by && last.initial === initial) return last.changes;
  const changes = compared(before, after, by);
  memory.changes = { from, by, initial, changes } satisfies Answer;
  return changes;
}

/** It holds the earlier tree, never the earlier snapshot, which would hold the one before it, and so on for ever. */
interface Answer {
  readonly from: unknown;
  readonly by: ModifiedBy;
  readonly initial: boolean;
  readonly changes: readonly TreeChange[];
}

function compared(before: Snapshot | undefined, after: Snapshot, by: ModifiedBy): readonly TreeChange[] {
  const initial = before === undefined;
  const changes: TreeChange[] = [];
  walk(before, after, (previous, entry) => {
    if (entry === undefined) {
      if (previous !== undefined) changes.push({ type: 'deleted', key: previous.key, previous, initial });
    } else if (previous === undefined) {
      changes.push({ type: 'added', key: entry.key, entry, initial });
    } else if (differ(previous, entry, by)) {
      changes.push({ type: 'modified', key: entry.key, entry, previous, initial });
    }
  });
  return Object.freeze(changes);
}

function differ(a: Entry, b: Entry, by: ModifiedBy): boolean {
  return (by === 'revision' && (a.revision !== b.revision || a.token !== b.token)) || !sameBytes(a.value, b.value);
}
