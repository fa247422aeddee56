/**
 * A feed: wakes when the server tells of a write, reads what was written, and says the range as it is then.
 *
 * Values and notices travel on two connections, so a newer write can be read while an older one is still unheard of.
 * Hence after each read the hub is asked for all that it has to tell: what was read is a state that the range was in
 * if nothing but that was written meanwhile. Else it is read again, together with what was written.
 */
import { Observable, type Subscriber, Subscription, timer } from 'rxjs';
import { delay } from '../../delay.js';
import type { Change, Feed, Range } from '../../driver.js';
import type { Entry } from '../../entry.js';
import { translated } from './errors.js';
import { Expiry } from './expiry.js';
import { type Found, readAll } from './get.js';
import type { Keyspace } from './keyspace.js';
import { forget, listAtOnce, names } from './list.js';
import type { Servers } from './servers.js';
import type { Notice, Watches } from './watches.js';

export interface FeedsOptions {
  readonly servers: Servers;
  readonly keyspace: Keyspace;
  readonly watches: Watches;
  /** ms for one round trip */
  readonly timeout: number;
  /** ms between two looks at everything */
  readonly resync: number;
  /** Whether a range is said only as it was at one moment. */
  readonly consistent: boolean;
}

/** As {@link Driver.feed$}. */
export function createFeeds(options: FeedsOptions): (range: Range) => Observable<Feed> {
  return range => new Observable<Feed>(subscriber => new Following(options, range, subscriber).begin());
}

/** Keys in one request: all of them are read at one moment. */
const most = 500;
/** Keys that are read again and again while they are being written. */
const mostHot = 200;
/** ms */
const pauseAfterFailure = 100;

/** One feed, from its subscription to its end. */
class Following {
  private readonly options: FeedsOptions;
  private readonly range: Range;
  private readonly subscriber: Subscriber<Feed>;
  private readonly expiry: Expiry;
  private readonly life: Subscription = new Subscription();
  private armed = false;
  /** Everything is to be read anew. */
  private full = true;
  /** Written, as far as we were told, since it was read. */
  private readonly stale: Set<string> = new Set();
  /** Read, and not said yet. */
  private readonly news: Map<string, Found | undefined> = new Map();
  private working = false;
  /** What is read cannot be had now: who says nothing of it must not say that it is well. */
  private failing = false;
  private revision = 0n;
  /** Whether its keys are in an index. */
  private readonly indexes: boolean;

  constructor(options: FeedsOptions, range: Range, subscriber: Subscriber<Feed>) {
    this.options = options;
    this.range = range;
    this.subscriber = subscriber;
    this.indexes = options.keyspace.indexes('key' in range ? range.key : range.prefix);
    this.expiry = new Expiry(keys => {
      for (const key of keys) this.stale.add(key);
      this.wake();
    });
  }

  begin(): Subscription {
    const { watches, resync } = this.options;
    this.life.add(() => this.expiry.clear());
    if (resync !== Infinity) this.life.add(timer(resync, resync).subscribe(() => this.anew()));
    this.life.add(
      watches.watch$().subscribe({
        next: notice => this.take(notice),
        error: (error: unknown) => this.subscriber.error(error),
      }),
    );
    return this.life;
  }

  private take(notice: Notice): void {
    if (notice.type === 'keys') this.written(notice.names);
    else if (notice.type === 'alive') this.alive();
    else if (notice.type === 'lost') this.armed = false;
    else {
      this.armed = true;
      this.anew();
    }
  }

  private alive(): void {
    if (!this.failing) this.subscriber.next({ type: 'mark' });
  }

  private anew(): void {
    this.full = true;
    this.wake();
  }

  private written(told: readonly string[]): void {
    const { keyspace } = this.options;
    for (const name of told) {
      const key = keyspace.within(this.range, name);
      if (key !== undefined) this.stale.add(key);
    }
    this.wake();
  }

  private wake(): void {
    if (!this.working) void this.work();
  }

  /** Reads until nothing is new. */
  private async work(): Promise<void> {
    this.working = true;
    while (this.armed && !this.life.closed && (this.full || this.stale.size > 0)) {
      try {
        await (this.full ? this.reset() : this.patch());
        this.failing = false;
      } catch (error) {
        const known = translated(error);
        if (!known.transient) {
          this.subscriber.error(known);
          break;
        }
        this.failing = true;
        this.full = true;
        await delay(pauseAfterFailure);
      }
    }
    this.working = false;
  }

  private async reset(): Promise<void> {
    const { servers, keyspace, timeout } = this.options;
    const { range } = this;
    this.full = false;
    this.stale.clear();
    this.news.clear();
    if ('key' in range) {
      this.stale.add(range.key);
      await this.read(this.taken());
    } else {
      const contents = keyspace.oneSlot ? await listAtOnce(servers, keyspace, range, timeout) : undefined;
      if (contents === undefined) await this.readAll(range.prefix);
      else {
        this.heard(contents.revision);
        for (const found of contents.found) this.news.set(found.entry.key, found);
      }
    }
    if (this.full || this.life.closed) return;
    const entries = [...this.news.values()].flatMap(found => (found === undefined ? [] : [found.entry]));
    this.expiry.clear();
    this.settle();
    this.subscriber.next({ type: 'reset', entries, revision: this.revision });
  }

  private async patch(): Promise<void> {
    await this.untilWhole();
    if (this.full || this.life.closed) return;
    const changes = [...this.news].map(([key, found]): Change => (found === undefined ? { delete: key } : { put: found.entry }));
    this.settle();
    if (changes.length > 0) this.subscriber.next({ type: 'patch', changes, revision: this.revision });
  }

  /** Name by name, each as it is when it is read, and then what was written meanwhile. */
  private async readAll(prefix: string): Promise<void> {
    const { servers, keyspace, timeout } = this.options;
    const turned = (): void => {
      if (!this.life.closed) this.alive();
    };
    for (const master of await servers.masters(timeout)) {
      const found = [...(await names(master, { keyspace, prefix, timeout, turned }))];
      for (let at = 0; at < found.length && !this.full && !this.life.closed; at += most) {
        await this.read(found.slice(at, at + most));
        turned();
      }
    }
    await this.untilWhole();
  }

  /** Reads what is stale until all that is known is the range as it was at one moment. */
  private async untilWhole(): Promise<void> {
    const { consistent, watches } = this.options;
    let hot: readonly string[] = [];
    while (!this.full && !this.life.closed) {
      const keys = this.taken(hot);
      await this.read(keys);
      if ('key' in this.range || !consistent) return;
      await watches.barrier();
      if (this.stale.size === 0) return;
      if (!this.life.closed) this.alive();
      const asked = new Set(keys);
      if (keys.length <= most && [...this.stale].every(key => asked.has(key))) return;
      hot = keys.length <= mostHot ? keys : [];
    }
  }

  /** What is stale, which it is no more once it is read. */
  private taken(hot: readonly string[] = []): string[] {
    const keys = [...new Set([...this.stale, ...hot])];
    this.stale.clear();
    return keys;
  }

  private async read(keys: readonly string[]): Promise<void> {
    const { servers, keyspace, timeout } = this.options;
    const ask = async (some: readonly string[]): Promise<void> => {
      const { revision, found } = await readAll({ servers, keyspace, keys: some, indexing: this.indexes, timeout });
      this.heard(revision);
      some.forEach((key, i) => this.news.set(key, found[i]));
    };
    if (!keyspace.oneSlot) {
      await Promise.all(keys.map(async key => ask([key])));
      return;
    }
    for (let at = 0; at < keys.length; at += most) await ask(keys.slice(at, at + most));
  }

  private heard(revision: bigint): void {
    if (revision > this.revision) this.revision = revision;
  }

  /** What was read has been said, or is about to be. */
  private settle(): void {
    const { servers, keyspace, timeout } = this.options;
    const gone: string[] = [];
    for (const [key, found] of this.news) {
      this.expiry.set(key, found?.until ?? Infinity);
      if (found === undefined) gone.push(keyspace.name(key));
      // A server whose clock was behind has written later than it says.
      else this.heard((found.entry as Entry).revision);
    }
    if (this.indexes && gone.length > 0) forget(servers, keyspace, gone, timeout);
    this.news.clear();
  }
}
