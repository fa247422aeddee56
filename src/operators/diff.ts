import { concatMap, type OperatorFunction } from 'rxjs';
import type { Snapshot } from '../snapshot.js';
import type { DiffOptions, TreeChange } from './change.js';
import { batches } from './deltas.js';

/**
 * Changes one by one: added, modified and deleted keys, in key order within a snapshot. It is `deltas()`
 * flattened; use that one to see where a batch ends and when the first state is complete.
 *
 * ```
 * snapshots  --{a}------{a',b}-----{b}--|
 *                      diff()
 *            --+a-------(~a +b)---a----|
 * ```
 *
 * `initial` is true for what was there when the subscription began. `deleted` carries the last known entry as
 * `previous`, and so does `modified`. Unsubscribing inside `next` stops at once, in the middle of a batch too.
 *
 * The memory of the last snapshot is the subscription's: after `pipe(retryTransient(), diff())` an outage shows
 * as its net changes; `pipe(diff(), retryTransient())` adds everything again.
 *
 * @throws KvError `invalid` for an unknown option, when the operator is made
 * @example
 * store.watchTree$('config').pipe(retryTransient(), diff())
 *   .subscribe(change => console.log(change.type, change.key));
 */
export function diff(options?: DiffOptions): OperatorFunction<Snapshot, TreeChange> {
  const asBatches = batches('diff()', options);
  return source =>
    source.pipe(
      asBatches,
      concatMap(({ changes }) => changes),
    );
}
