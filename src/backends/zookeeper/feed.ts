/**
 * A feed: what a range holds, read again wherever an event says that it changed.
 *
 * A notification that comes before the answer to a read is no newer than that answer. So what was read is the state of
 * one moment as soon as an answer leaves nothing dirty; it is said then, and never only because time has passed.
 */
import { Observable, type Subscriber, Subscription } from 'rxjs';
import type { Change, Feed, Range } from '../../driver.js';
import type { Entry } from '../../entry.js';
import type { Cluster } from './cluster.js';
import { Dirty } from './dirty.js';
import { isOfConnection, translated } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { PerNode } from './per-node.js';
import { absentOr, inPortions, readsOf, type Reads, walk } from './walk.js';
import type { WatchMessage, Watches } from './watches.js';
import { happened } from './numbers.js';
import type { Answer, Node } from './wire.js';

export interface FeedsOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly watches: Watches;
  /** ms for one round trip */
  readonly timeout: number;
}

/** As {@link Driver.feed$}; it never resumes. */
export function createFeeds(options: FeedsOptions): (range: Range) => Observable<Feed> {
  return range => new Observable<Feed>(subscriber => new Following(options, range, subscriber).begin());
}

/** ms from one try to the next where a read failed and nothing else wakes the feed. */
const pause = 50;

/** One feed, from its subscription to its end. */
class Following {
  private readonly options: FeedsOptions;
  private readonly range: Range;
  private readonly subscriber: Subscriber<Feed>;
  private readonly life: Subscription = new Subscription();
  private readonly dirty: Dirty = new Dirty();
  /** What was read and not said yet; undefined says that there is none. */
  private readonly unsaid: Map<string, Entry | undefined> = new Map();
  /** Everything, while it is read for the first time or anew. */
  private state: Map<string, Entry> | undefined = new Map();
  private whole = true;
  private working = false;
  private woken = false;
  /** Where the server was at the last answer. */
  private revision = 0n;
  private perNode: PerNode | undefined;
  /** Nodes, since the beginning. */
  private read = 0;

  constructor(options: FeedsOptions, range: Range, subscriber: Subscriber<Feed>) {
    this.options = options;
    this.range = range;
    this.subscriber = subscriber;
  }

  begin(): Subscription {
    const { watches, keyspace } = this.options;
    this.life.add(
      watches.watch$(keyspace.at(this.range), 'prefix' in this.range).subscribe({
        next: message => this.take(message),
        error: (error: unknown) => this.subscriber.error(translated(error)),
      }),
    );
    this.wake();
    return this.life;
  }

  private take(message: WatchMessage): void {
    if (message.type === 'alive') this.subscriber.next({ type: 'mark' });
    else if (message.type === 'event') this.heed(message.path, message.happened, message.at);
    else if (message.type === 'reset') this.anew();
    else {
      const { cluster, timeout, watches, keyspace } = this.options;
      const perNode = new PerNode({
        cluster,
        timeout,
        top: keyspace.at(this.range),
        recursive: 'prefix' in this.range,
        interest: watches.interest,
        touched: path => this.mark(path, cluster.arrivals.last),
      });
      this.perNode = perNode;
      this.life.add(() => perNode.end());
      this.anew();
    }
  }

  private anew(): void {
    this.whole = true;
    this.wake();
  }

  private heed(path: string, what: number, at: number): void {
    const concerns =
      this.perNode === undefined
        ? // About names: their own nodes' events tell the same.
          what !== happened.children && this.options.keyspace.isSeen(this.range, path)
        : this.perNode.heard(path, what, at);
    if (concerns) this.mark(path, at);
  }

  private mark(path: string, at: number): void {
    this.dirty.mark(path, at);
    this.wake();
  }

  /** What comes in one go is read in one go. */
  private wake(): void {
    if (this.working || this.woken || this.life.closed) return;
    this.woken = true;
    setImmediate(() => {
      this.woken = false;
      if (!this.life.closed) void this.work();
    });
  }

  private async work(): Promise<void> {
    this.working = true;
    try {
      while ((this.whole || this.dirty.any) && !this.life.closed) {
        if (this.whole) await this.readAll();
        else await this.readDirty();
        if (!this.whole && !this.dirty.any) this.say();
      }
    } catch (error) {
      this.failed(error);
    } finally {
      this.working = false;
    }
  }

  /** A cut mends itself: what was dirty is dirty still, and the next connection says reset. */
  private failed(error: unknown): void {
    const known = translated(error);
    if (this.life.closed) return;
    if (!isOfConnection(known)) return this.subscriber.error(known);
    const again = setTimeout(() => this.wake(), pause);
    this.life.add(() => clearTimeout(again));
  }

  private async readAll(): Promise<void> {
    const { cluster, keyspace } = this.options;
    const root = keyspace.at(this.range);
    this.whole = false;
    this.dirty.clear();
    this.unsaid.clear();
    const state = new Map<string, Entry>();
    this.state = state;
    // There each node tells of those in it when it is read.
    if (this.perNode !== undefined) {
      this.perNode.forget();
      this.dirty.mark(root, cluster.arrivals.last);
      return;
    }
    try {
      await walk(this.reads(), root, (path, node) => {
        this.alive();
        const entry = this.entryOf(path, node);
        if (entry !== undefined) state.set(path, entry);
        return 'prefix' in this.range && (path === root || keyspace.isSeen(this.range, path));
      });
    } catch (error) {
      this.whole = true;
      throw error;
    }
  }

  private async readDirty(): Promise<void> {
    const paths = this.dirty.take();
    const found = (path: string, node: Node | number, answer: Answer<unknown>): void => {
      this.dirty.answered(path, answer.at);
      this.heard(answer.zxid);
      this.found(path, node);
    };
    if (this.perNode !== undefined) await this.perNode.read(paths, found);
    else await inPortions(paths, portion => this.reads().nodes(portion), found);
    this.dirty.settle();
  }

  private found(path: string, node: Node | number): void {
    this.alive();
    if (typeof node === 'number') absentOr(node);
    const entry = typeof node === 'number' ? undefined : this.entryOf(path, node);
    if (this.dirty.isNews(path, entry)) this.unsaid.set(path, entry);
  }

  private entryOf(path: string, node: Node): Entry | undefined {
    const { keyspace } = this.options;
    return keyspace.isSeen(this.range, path) ? keyspace.entry(path, node) : undefined;
  }

  private say(): void {
    const { state, revision } = this;
    if (state !== undefined) {
      for (const [path, entry] of this.unsaid) {
        if (entry === undefined) state.delete(path);
        else state.set(path, entry);
      }
      this.state = undefined;
      this.unsaid.clear();
      this.subscriber.next({ type: 'reset', entries: [...state.values()], revision });
      return;
    }
    const changes = [...this.unsaid].flatMap(([path, entry]) => this.change(path, entry));
    this.unsaid.clear();
    if (changes.length > 0) this.subscriber.next({ type: 'patch', changes, revision });
  }

  private change(path: string, entry: Entry | undefined): Change[] {
    if (entry !== undefined) return [{ put: entry }];
    const key = this.options.keyspace.relative(path);
    return key === undefined ? [] : [{ delete: key }];
  }

  /** While the first state is read nothing else is said. */
  private alive(): void {
    if (this.state !== undefined && ++this.read % 1000 === 0) this.subscriber.next({ type: 'mark' });
  }

  private reads(): Reads {
    const { cluster, timeout } = this.options;
    return readsOf(async request => {
      const answer = await cluster.call({ send: (connection, deadline) => connection.send(request, deadline), repeatable: true, timeout });
      this.heard(answer.zxid);
      return answer;
    });
  }

  private heard(zxid: bigint): void {
    if (zxid > this.revision) this.revision = zxid;
  }
}
