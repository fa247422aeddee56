/**
 * A feed: the range as it is at one revision, then every change after it.
 *
 * The list is pinned at a revision and the watch begins with the next, so nothing falls in between. After a cut the
 * watch goes on by itself; where it cannot (compacted, restored, wiped) the range is listed anew.
 */
import { Observable, type Observer, type Subscriber, type Subscription } from 'rxjs';
import type { Change, Feed, Listing, Range } from '../../driver.js';
import type { Get } from '../../networked.js';
import type { Cluster } from './cluster.js';
import { isCompacted, translated } from './errors.js';
import { entryOf, type Keyspace } from './keyspace.js';
import { list } from './list.js';
import type { WatchMessage } from './watch.js';
import type { Watches } from './watches.js';
import type { KeyRange, Kv, RequestOp, WatchEvent } from './wire.js';

export interface FeedsOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly watches: Watches;
  /** Those of many watches that begin together travel together. */
  readonly get: (get: Get) => Promise<Listing>;
  /** ms for one round trip */
  readonly timeout: number;
}

/** As {@link Driver.feed$}. */
export function createFeeds(options: FeedsOptions): (range: Range, since?: bigint) => Observable<Feed> {
  return (range, since) => new Observable<Feed>(subscriber => new Following(options, range, since, subscriber).begin());
}

/** One feed, from its subscription to its end. */
class Following implements Pick<Observer<WatchMessage>, 'next' | 'error'> {
  private readonly options: FeedsOptions;
  private readonly range: Range;
  private readonly bytes: KeyRange;
  private readonly subscriber: Subscriber<Feed>;
  /** What a former feed said last, until this one has said something: by then the first mark means "no news". */
  private resuming: bigint | undefined;
  private watching: Subscription | undefined;
  /** How often it has turned to something else: what was begun before is of no interest. */
  private turns = 0;

  constructor(options: FeedsOptions, range: Range, since: bigint | undefined, subscriber: Subscriber<Feed>) {
    this.options = options;
    this.range = range;
    this.bytes = options.keyspace.range(range);
    this.resuming = since;
    this.subscriber = subscriber;
  }

  begin(): void {
    this.subscriber.add(() => this.turn());
    if (this.resuming === undefined) this.list();
    else this.watch(this.resuming + 1n);
  }

  next(message: WatchMessage): void {
    if (message.type === 'lost') this.list();
    else if (message.type === 'alive') this.alive();
    else if (message.type === 'ready') this.ready(message);
    else if (message.type === 'progress') this.progress(message.revision);
    else this.events(message.events, message.revision);
  }

  error(error: unknown): void {
    this.subscriber.error(translated(error));
  }

  /** Leaves what it did before. */
  private turn(): void {
    this.turns++;
    this.watching?.unsubscribe();
    this.watching = undefined;
  }

  /** Goes on with what the work brings, unless it has turned to something else by then. */
  private after<T>(work: Promise<T>, goOn: (value: T) => void): void {
    const { turns } = this;
    work.then(
      value => turns === this.turns && goOn(value),
      (error: unknown) => turns === this.turns && this.error(error),
    );
  }

  private say(feed: Feed): void {
    this.resuming = undefined;
    this.subscriber.next(feed);
  }

  private alive(): void {
    if (this.resuming === undefined) this.subscriber.next({ type: 'mark' });
  }

  private list(): void {
    this.turn();
    this.after(this.listing(), ({ entries, revision }) => {
      this.say({ type: 'reset', entries, revision });
      // Who wanted no more than that is gone by now.
      if (!this.subscriber.closed) this.watch(revision + 1n);
    });
  }

  private watch(next: bigint): void {
    this.turn();
    this.watching = this.options.watches.watch$(this.bytes, next).subscribe(this);
  }

  private ready({ revision, next }: Extract<WatchMessage, { type: 'ready' }>): void {
    // Either this member lags behind the one that was asked before, or the data was lost: all of them must know.
    if (revision + 1n < next) {
      this.after(this.head(), head => {
        if (head + 1n < next) this.list();
        else this.resume(head);
      });
    } else this.resume(revision);
  }

  /** Says at once that there is no news, if so: a patch would say that there is. */
  private resume(head: bigint): void {
    const { resuming } = this;
    if (resuming === undefined) this.alive();
    else if (head <= resuming) this.say({ type: 'mark', revision: resuming });
    else this.unlessNews(resuming);
  }

  private unlessNews(since: bigint): void {
    this.after(this.hasNews(since), news => {
      if (this.resuming === undefined) return;
      if (news === 'unknown') this.list();
      else if (!news) this.say({ type: 'mark', revision: since });
    });
  }

  private progress(revision: bigint): void {
    this.say({ type: 'mark', revision });
  }

  private events(events: readonly WatchEvent[], revision: bigint): void {
    const changes: Change[] = [];
    for (const { type, kv } of events) {
      const key = this.keyOf(kv);
      if (key !== undefined) changes.push(type === 'Delete' ? { delete: key } : { put: entryOf(kv, key) });
    }
    if (changes.length > 0) this.say({ type: 'patch', changes, revision });
    // What was new concerns nobody who looks at this range; there may be more of it, or none.
    else if (this.resuming !== undefined) this.unlessNews(revision);
  }

  private keyOf(kv: Kv): string | undefined {
    const { range } = this;
    return 'key' in range ? range.key : this.options.keyspace.within(range, kv.key);
  }

  private async listing(): Promise<Pick<Listing, 'entries' | 'revision'>> {
    const { cluster, keyspace, get, timeout } = this.options;
    const { range, turns } = this;
    if ('prefix' in range) return list(cluster, keyspace, range, { timeout, turned: () => turns === this.turns && this.alive() });
    return get({ key: range.key, values: true, timeout, abandoned: false });
  }

  /** The revision that the cluster as a whole is at. */
  private async head(): Promise<bigint> {
    const { cluster, timeout } = this.options;
    const request = { key: this.bytes.key, keys_only: true, limit: 1 };
    const { header } = await cluster.call({ send: (client, sending) => client.range(request, sending), repeatable: true, timeout });
    return BigInt(header.revision);
  }

  /**
   * Whether the range differs from what it was at a revision: something in it was written since, or there are not as
   * many keys as there were. 'unknown' where that revision can no longer be read.
   */
  private async hasNews(since: bigint): Promise<boolean | 'unknown'> {
    const { cluster, keyspace, timeout } = this.options;
    const success: RequestOp[] = keyspace
      .pieces(this.range)
      .flatMap(piece => [
        { request_range: { ...piece, count_only: true, revision: String(since) } },
        { request_range: { ...piece, count_only: true } },
        { request_range: { ...piece, keys_only: true, limit: 1, min_mod_revision: String(since + 1n) } },
      ]);
    try {
      const { responses } = await cluster.call({
        send: (client, sending) => client.transact({ compare: [], success, failure: [] }, sending),
        repeatable: true,
        timeout,
      });
      const ranges = responses.map(({ response_range: answer }) => answer);
      return ranges.some((answer, i) =>
        i % 3 === 2 ? (answer?.kvs.length ?? 0) > 0 : i % 3 === 0 && answer?.count !== ranges[i + 1]?.count,
      );
    } catch (error) {
      if (isCompacted(error)) return 'unknown';
      throw error;
    }
  }
}
