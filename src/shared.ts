/** Shared watches: one feed for each range of a store, however many subscribers, depths and views look at it. */
import { distinctUntilChanged, map, Observable, type Subscriber } from 'rxjs';
import type { Feed, Range } from './driver.js';
import type { Entry } from './entry.js';
import { directoryOf } from './key.js';
import { Passing } from './passing.js';
import { reflect$ } from './reflect.js';
import type { Sharing } from './sharing.js';
import { project, type Snapshot } from './snapshot.js';
import type { StatusTracker } from './status.js';

/** What a subscriber sees of a shared tree. */
export interface TreeView {
  /** As the subscriber names it. */
  readonly directory: string;
  /** Characters of each key that the subscriber's view leaves out. */
  readonly strip: number;
  /** Segments below the directory that are wanted. */
  readonly depth?: number;
}

type FeedOf = (range: Range, since?: bigint) => Observable<Feed>;

interface Projected {
  readonly source: Snapshot;
  readonly output: Snapshot;
}

export class SharedWatches {
  private readonly feed$: FeedOf;
  private readonly sharing: Sharing;
  private readonly status: StatusTracker;
  private readonly linger: number;

  constructor(feed$: FeedOf, sharing: Sharing, status: StatusTracker, linger: number) {
    this.feed$ = feed$;
    this.sharing = sharing;
    this.status = status;
    this.linger = linger;
  }

  /** Snapshots of all keys below the prefix, as the view shows them. */
  tree$(prefix: string, view: TreeView): Observable<Snapshot> {
    const whole$ = this.snapshots$(`tree ${prefix}`, directoryOf(prefix), { prefix });
    if (view.strip === 0 && view.depth === undefined) return whole$;
    // Shared too, so that the first projection of a large tree is made once for all who look at it alike.
    return this.sharing.of(`tree ${prefix} ${view.strip} ${view.depth ?? ''}`, () => {
      let last: Projected | undefined;
      return whole$.pipe(
        map(source => {
          const output = project(source, view, last);
          last = { source, output };
          return output;
        }),
        distinctUntilChanged(),
      );
    });
  }

  /** The entry of one key as `seen` shows it; undefined while absent. */
  key$(key: string, seen: (entry: Entry) => Entry): Observable<Entry | undefined> {
    const snapshots$ = this.snapshots$(`key ${key}`, '', { key });
    return new Observable(subscriber => snapshots$.subscribe(new KeyView(key, seen, subscriber)));
  }

  private snapshots$(name: string, directory: string, range: Range): Observable<Snapshot> {
    return this.sharing.of(name, () => reflect$(directory, since => this.feed$(range, since), this.status), this.linger);
  }
}

/** What a subscriber sees of a shared key. */
class KeyView extends Passing<Snapshot, Entry | undefined> {
  private readonly key: string;
  private readonly seen: (entry: Entry) => Entry;
  /** null before the first. */
  private last: Entry | undefined | null = null;

  constructor(key: string, seen: (entry: Entry) => Entry, subscriber: Subscriber<Entry | undefined>) {
    super(subscriber);
    this.key = key;
    this.seen = seen;
  }

  next(snapshot: Snapshot): void {
    const entry = snapshot.get(this.key);
    if (entry === this.last) return;
    this.last = entry;
    this.subscriber.next(entry && this.seen(entry));
  }
}
