/**
 * The reflector: one feed of a driver becomes a stream of snapshots.
 *
 * Drivers may say anything at any time (everything anew, a patch, just that they are alive); what comes out is
 * the current state first, then each change of it, the very same object where nothing changed. A clean
 * unsubscribe forgets everything; after an error the last snapshot is kept weakly, to resume from and to
 * reconcile with, never to be shown as current.
 */
import { Observable, type Subscriber } from 'rxjs';
import type { Feed } from './driver.js';
import { asKvError, KvError } from './errors.js';
import { Passing } from './passing.js';
import type { StatusTracker } from './status.js';
import { applyChanges, reconcile, type Snapshot, snapshotOf } from './snapshot.js';

interface Base {
  readonly snapshot: WeakRef<Snapshot>;
  readonly since: bigint;
}

type Told = Pick<StatusTracker, 'asking' | 'live' | 'failed'>;

/**
 * Each subscription subscribes to the feed once. Errors as the feed does; a feed that completes is `unavailable`.
 *
 * @param directory  of the snapshots, as users spell it
 * @param feed$  the feed of the range, resumed from `since` where that is given
 * @param status  told how it goes
 */
export function reflect$(directory: string, feed$: (since?: bigint) => Observable<Feed>, status?: Told): Observable<Snapshot> {
  let base: Base | undefined;
  return new Observable<Snapshot>(subscriber => {
    const kept = base?.snapshot.deref();
    const since = kept === undefined ? undefined : base?.since;
    base = undefined;
    const failed = (last: Base | undefined): void => void (base = last);
    status?.asking();
    return feed$(since).subscribe(new Reflection(new Fold(directory, kept, since), subscriber, failed, status));
  });
}

/** One subscription to a feed. */
class Reflection extends Passing<Feed, Snapshot> {
  private readonly fold: Fold;
  private readonly failed: (last: Base | undefined) => void;
  private readonly status: Told | undefined;

  /** @param failed  told what is left after an error */
  constructor(fold: Fold, subscriber: Subscriber<Snapshot>, failed: (last: Base | undefined) => void, status: Told | undefined) {
    super(subscriber);
    this.fold = fold;
    this.failed = failed;
    this.status = status;
  }

  next(message: Feed): void {
    let snapshot: Snapshot | undefined;
    try {
      snapshot = this.fold.take(message);
    } catch (error) {
      return this.error(asKvError(error));
    }
    if (snapshot === undefined) return;
    this.status?.live();
    this.subscriber.next(snapshot);
  }

  override error(error: unknown): void {
    this.failed(this.fold.base());
    if (KvError.is(error)) this.status?.failed(error);
    super.error(error);
  }

  override complete(): void {
    this.error(new KvError('unavailable', 'the feed ended'));
  }
}

/** Folds the messages of one feed into snapshots. */
class Fold {
  private readonly directory: string;
  private snapshot: Snapshot | undefined;
  private since: bigint | undefined;
  /** Whether the current state has been said. */
  private synced = false;
  private heard = false;

  constructor(directory: string, snapshot: Snapshot | undefined, since: bigint | undefined) {
    this.directory = directory;
    this.snapshot = snapshot;
    this.since = since;
  }

  base(): Base | undefined {
    return this.snapshot === undefined || this.since === undefined
      ? undefined
      : { snapshot: new WeakRef(this.snapshot), since: this.since };
  }

  /** The snapshot to say after this message, if there is news. */
  take(message: Feed): Snapshot | undefined {
    const before = this.snapshot;
    const first = !this.heard;
    this.heard = true;
    if (message.type === 'mark') {
      // A driver that has resumed says so at once; later, a mark without a revision is only a sign of life.
      const resumed = !this.synced && before !== undefined && (first || message.revision !== undefined);
      if (message.revision !== undefined) this.since = message.revision;
      if (!resumed) return undefined;
      this.synced = true;
      return before;
    }
    const next = this.apply(message, before);
    this.since = message.revision;
    if (this.synced && next === before) return undefined;
    this.snapshot = next;
    this.synced = true;
    return next;
  }

  private apply(message: Exclude<Feed, { type: 'mark' }>, before: Snapshot | undefined): Snapshot {
    const { directory } = this;
    // What subscribers see never goes back, even where an index does without any loss of data.
    const revision = before !== undefined && before.revision > message.revision ? before.revision : message.revision;
    if (message.type === 'reset') {
      return before === undefined ? snapshotOf(directory, message.entries, revision) : reconcile(before, message.entries, revision);
    }
    if (before === undefined) throw new KvError('internal', 'a driver said a patch before the first reset');
    return applyChanges(before, message.changes, revision);
  }
}
