/**
 * The hub: follows a table once, and tells each feed what concerns it.
 *
 * It wakes at news, reads once at the head what was touched since its last look, and says one patch to each feed
 * whose range that is. Feeds are found by key and by directory, so a change costs what it touches and not what
 * there are feeds.
 */
import { Observable, type Subscriber, Subscription } from 'rxjs';
import type { Change, Feed, Range } from '../../driver.js';
import { asKvError, type KvError } from '../../errors.js';
import { added } from './added.js';
import type { Keyspace } from './keyspace.js';
import { entriesIn } from './listing.js';
import { News } from './news.js';
import { instantOf } from './row.js';
import type { Row, Table, View } from './table.js';

/** Prefixes that are sooner compared with a key than looked up for each of its directories. */
const few = 8;

/** The feeds of one range: they are told the same. */
interface Group {
  readonly range: Range;
  readonly feeds: Set<Subscriber<Feed>>;
  /** The patch that is being put together for them. */
  patch?: Change[] | undefined;
}

type Posted = readonly [feed: Subscriber<Feed>, message: Feed];

export class Hub {
  private readonly table: Table;
  private readonly keyspace: Keyspace;
  private readonly backend: string;
  private readonly saw: (row: Row, view: View) => void;
  private readonly keys: Map<string, Group> = new Map();
  private readonly prefixes: Map<string, Group> = new Map();
  private outbox: Posted[] | undefined;
  private delivering = false;
  private following: Subscription | undefined;
  /** The revision that every feed has been told of. */
  private last = 0;

  /** @param saw  told of rows that somebody wrote, perhaps elsewhere, since they may have an end */
  constructor(table: Table, keyspace: Keyspace, backend: string, saw: (row: Row, view: View) => void) {
    this.table = table;
    this.keyspace = keyspace;
    this.backend = backend;
    this.saw = saw;
  }

  /** As {@link Driver.feed$}, on an open table. */
  feed$(range: Range, since?: bigint): Observable<Feed> {
    return new Observable<Feed>(subscriber => {
      try {
        this.follow();
        // Everybody is brought to the head first, so that what is said next holds for this feed too.
        const view = this.drain();
        const message = this.first(view, range, since);
        const group = this.enter(range, subscriber);
        subscriber.add(() => this.leave(group, subscriber));
        this.post(subscriber, message);
      } catch (error) {
        const known = asKvError(error, { backend: this.backend });
        subscriber.error(known);
        this.fail(known);
        this.rest();
      }
      this.deliver();
    });
  }

  /** Something may have been committed: tells those whom it concerns. */
  wake(): void {
    if (this.following === undefined) return;
    try {
      this.drain();
    } catch (error) {
      this.fail(asKvError(error, { backend: this.backend }));
    }
    this.deliver();
  }

  /** Ends all feeds with an error. */
  fail(error: KvError): void {
    for (const { feeds } of [...this.keys.values(), ...this.prefixes.values()]) for (const feed of [...feeds]) feed.error(error);
  }

  private follow(): void {
    if (this.following !== undefined) return;
    this.last = this.table.view().head;
    let failure: unknown;
    const following = new Subscription();
    this.following = following;
    following.add(
      this.table.news$.subscribe({
        next: () => this.wake(),
        error: (error: unknown) => {
          failure = error;
          this.fail(asKvError(error, { backend: this.backend }));
          this.rest();
        },
      }),
    );
    if (failure !== undefined) throw failure;
  }

  /** Stops following once nobody listens. */
  private rest(): void {
    if (this.keys.size > 0 || this.prefixes.size > 0) return;
    this.following?.unsubscribe();
    this.following = undefined;
  }

  private enter(range: Range, feed: Subscriber<Feed>): Group {
    const [groups, at] = this.place(range);
    let group = groups.get(at);
    if (group === undefined) groups.set(at, (group = { range, feeds: new Set() }));
    group.feeds.add(feed);
    return group;
  }

  private leave(group: Group, feed: Subscriber<Feed>): void {
    group.feeds.delete(feed);
    const [groups, at] = this.place(group.range);
    if (group.feeds.size === 0 && groups.get(at) === group) groups.delete(at);
    this.rest();
  }

  private place(range: Range): [groups: Map<string, Group>, at: string] {
    return 'key' in range ? [this.keys, this.keyspace.whole(range.key)] : [this.prefixes, this.keyspace.whole(range.prefix)];
  }

  /** What a new feed is told first. */
  private first(view: View, range: Range, since: bigint | undefined): Feed {
    const revision = BigInt(view.head);
    if (since === revision) return { type: 'mark', revision };
    // From beyond the head: what it has seen is lost, so nothing can be told of what came after.
    if (since === undefined || since > revision || since < BigInt(view.compacted)) return this.reset(view, range);
    const changes = new News(view, Number(since), this.keyspace, instantOf(this.table)).of(range);
    return changes.length === 0 ? { type: 'mark', revision } : { type: 'patch', changes, revision };
  }

  private reset(view: View, range: Range): Feed {
    return { type: 'reset', entries: entriesIn(view, this.keyspace, range, instantOf(this.table)), revision: BigInt(view.head) };
  }

  /** Brings all feeds to the head of the view that it returns; {@link deliver} says it to them. */
  private drain(): View {
    const view = this.table.view();
    const { last } = this;
    if (view.head === last) return view;
    this.last = view.head;
    if (view.head < last || view.compacted > last) this.resetAll(view);
    else this.patch(view, last);
    return view;
  }

  private resetAll(view: View): void {
    for (const group of [...this.keys.values(), ...this.prefixes.values()]) this.postAll(group, this.reset(view, group.range));
  }

  private patch(view: View, last: number): void {
    const news = new News(view, last, this.keyspace, instantOf(this.table), row => this.saw(row, view));
    let told: Group[] | undefined;
    const tell = (group: Group, change: Change): void => {
      if (group.patch === undefined) told = added(told, group);
      group.patch = added(group.patch, change);
    };
    for (const deleted of news.deleted) {
      for (const groups of [this.keys, this.prefixes])
        for (const group of groups.values()) for (const change of news.afterDeletion(group.range, deleted)) tell(group, change);
    }
    for (const key of news.keys) this.concerned(key, group => tell(group, news.change(key)));
    if (told === undefined) return;
    const revision = BigInt(view.head);
    for (const group of told) {
      this.postAll(group, { type: 'patch', changes: group.patch ?? [], revision });
      group.patch = undefined;
    }
  }

  /** Visits the groups that a key belongs to: its own, and those of the directories above it. */
  private concerned(key: string, visit: (group: Group) => void): void {
    const own = this.keys.get(key);
    if (own !== undefined) visit(own);
    if (this.prefixes.size <= few) {
      for (const [prefix, group] of this.prefixes) if (this.keyspace.within(prefix, key)) visit(group);
      return;
    }
    const { root } = this.keyspace;
    const all = this.keyspace.within(root, key) ? this.prefixes.get(root) : undefined;
    if (all !== undefined) visit(all);
    for (let slash = key.indexOf('/', root.length); slash !== -1; slash = key.indexOf('/', slash + 1)) {
      const above = this.prefixes.get(key.slice(0, slash + 1));
      if (above !== undefined) visit(above);
    }
  }

  private postAll({ feeds }: Group, message: Feed): void {
    for (const feed of feeds) this.post(feed, message);
  }

  private post(feed: Subscriber<Feed>, message: Feed): void {
    this.outbox = added(this.outbox, [feed, message]);
  }

  /**
   * Says what is posted, in order. A feed that is told may end, or start another, or bring more news: that is
   * posted behind and said in its turn, so that nobody is told of a later state first.
   */
  private deliver(): void {
    if (this.delivering) return;
    this.delivering = true;
    for (let posted = this.outbox; posted !== undefined; posted = this.outbox) {
      this.outbox = undefined;
      for (const [feed, message] of posted) feed.next(message);
    }
    this.delivering = false;
  }
}
