import { type OperatorFunction, scan } from 'rxjs';
import { changed, type Snapshot, snapshotOf } from '../snapshot.js';
import type { TreeDelta } from './change.js';

/** What toSnapshot() looks at; a batch that was sent elsewhere need hold no more. */
export type SentDelta = Pick<TreeDelta, 'changes' | 'initial' | 'directory' | 'revision'>;

/**
 * Snapshots again from the batches of {@link deltas}, without a look at their `snapshot`: so batches can travel,
 * through a worker or a socket, and be folded at the other end.
 *
 * ```
 * deltas  --[+a]!----[+b]-----[-a]--|
 *              toSnapshot()
 *         --{a}------{a,b}----{b}---|
 * ```
 *
 * A batch with `initial: true` (!) starts anew, so the sender may resubscribe. With `deltas({ by: 'revision' })`
 * the snapshots equal the sender's; by value an entry keeps the revision it had when its value last changed. What
 * `initial: 'skip'` left out is missing.
 *
 * @example
 * fromEvent<MessageEvent<SentDelta>>(worker, 'message').pipe(map(({ data }) => data), toSnapshot()).subscribe(render);
 */
export function toSnapshot(): OperatorFunction<SentDelta, Snapshot> {
  return scan<SentDelta, Snapshot, undefined>(folded, undefined);
}

function folded(last: Snapshot | undefined, { changes, initial, directory, revision }: SentDelta): Snapshot {
  if (last !== undefined && !initial) return changed(last, changes, revision);
  const entries = changes.flatMap(({ entry }) => entry ?? []);
  return snapshotOf(directory, entries, revision);
}
