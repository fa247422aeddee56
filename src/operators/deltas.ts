import { filter, type OperatorFunction, scan } from 'rxjs';
import { checkKnown } from '../known.js';
import type { Snapshot } from '../snapshot.js';
import { changesBetween, type DiffOptions, type TreeChange, type TreeDelta } from './change.js';
import { checkChoice } from './choice.js';

/**
 * Batches of changes: one for each snapshot that changes something, compared with the snapshot before.
 *
 * The first batch comes even if it is empty and means "synced". Modified means that the bytes differ, on every
 * backend alike; delete and re-create between two snapshots is one `modified`, or nothing when the bytes are equal.
 *
 * ```
 * snapshots  --{a}------{a,b}----{a,b}----{b}--|
 *                        deltas()
 *            --[+a]-----[+b]--------------[-a]-|
 * ```
 *
 * The memory of the last snapshot is the subscription's: put `retryTransient()` before deltas(), never after it.
 *
 * @throws KvError `invalid` for an unknown option, when the operator is made
 * @example
 * store.watchTree$('config').pipe(retryTransient(), deltas())
 *   .subscribe(({ changes, initial }) => initial ? start(changes) : reload(changes));
 */
export function deltas(options?: DiffOptions): OperatorFunction<Snapshot, TreeDelta> {
  return batches('deltas()', options);
}

/**
 * As {@link deltas}.
 *
 * @param where  whose options they are, for the message: "diff()"
 */
export function batches(where: string, options: DiffOptions = {}): OperatorFunction<Snapshot, TreeDelta> {
  checkKnown(options, ['by', 'initial'], where);
  const { by = 'value', initial: first = 'emit' } = options;
  checkChoice(where, 'by', by, ['value', 'revision']);
  checkChoice(where, 'initial', first, ['emit', 'skip']);
  const next = (last: TreeDelta | undefined, snapshot: Snapshot): TreeDelta => {
    const initial = last === undefined;
    const changes = initial && first === 'skip' ? none : changesBetween(last?.snapshot, snapshot, by);
    return { changes, initial, directory: snapshot.directory, revision: snapshot.revision, snapshot };
  };
  return source =>
    source.pipe(
      scan<Snapshot, TreeDelta, undefined>(next, undefined),
      filter(({ changes, initial }) => initial || changes.length > 0),
    );
}

const none: readonly TreeChange[] = /* @__PURE__ */ Object.freeze([]);
