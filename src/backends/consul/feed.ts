/**
 * A feed: the range as it is, then what is new in each answer of a query that blocks until it changes.
 *
 * Consul's index is a hint of when to ask again and never proof of what is there: it goes back when a snapshot is
 * restored, when data is lost and when tombstones are collected. So after an error, an index that went back, or an
 * answer that came early with nothing new, the range is asked for without an index.
 */
import { Observable, type Subscriber, Subscription } from 'rxjs';
import type { Coalescer } from '../../coalesce.js';
import type { Change, Feed, Range } from '../../driver.js';
import { Branches } from './branches.js';
import type { Cluster } from './cluster.js';
import { isPassing, translated } from './errors.js';
import type { Get, Got } from './get.js';
import type { Keyspace } from './keyspace.js';
import { type Queries, Query } from './query.js';
import { State } from './state.js';
import type { KvPair, Seen } from './wire.js';

export interface FeedsOptions {
  readonly cluster: Cluster;
  readonly queries: Queries;
  readonly keyspace: Keyspace;
  /** For those who have no slot. */
  readonly gets: Coalescer<Get, Got>;
  /** ms for one round trip */
  readonly timeout: number;
  /** ms that a feed may say nothing */
  readonly silence: number;
}

/** ms of a pause after an error, growing to the most. */
const firstPause = 25;
const longestPause = 1000;
/** ms between two looks of those who have no slot, all at the same time, so that they travel together. */
const round = 250;
/** Keys of a tree that is looked through instead of read: below that it is no quicker. */
const large = 20_000;
/** ms after which a tree is read as a whole: Consul forgets deletions after 15 minutes. */
const longestTrust = 600_000;

export class Feeds {
  private readonly options: FeedsOptions;

  constructor(options: FeedsOptions) {
    this.options = options;
  }

  /** As {@link Driver.feed$}; there is no going on from an index. */
  feed$(range: Range): Observable<Feed> {
    return new Observable<Feed>(subscriber => new Following(this.options, range, subscriber).begin());
  }
}

/** One feed, from its subscription to its end. */
class Following {
  private readonly options: FeedsOptions;
  private readonly range: Range;
  private readonly subscriber: Subscriber<Feed>;
  private readonly state: State;
  /** That of the last answer; 0 where the next question is to be without one. */
  private index = 0n;
  /** What was said of it, which never goes back. */
  private revision = 0n;
  private started = false;
  /** Whether all was heard without a gap since the last whole answer. */
  private trusted = false;
  /** Answers in a row that came too early. */
  private early = 0;
  private saidAt = 0;
  private branches: Branches | undefined;
  /** Whether its keys are too many side by side to be looked through. */
  private flat = false;
  /** When all of it was read last. */
  private wholeAt = 0;
  private query: Query = new Query();
  private wake: (() => void) | undefined;

  constructor(options: FeedsOptions, range: Range, subscriber: Subscriber<Feed>) {
    this.options = options;
    this.range = range;
    this.subscriber = subscriber;
    this.state = new State(options.keyspace, range);
  }

  begin(): Subscription {
    void this.follow();
    return new Subscription(() => {
      this.query.cancel();
      this.wake?.();
    });
  }

  private async follow(): Promise<void> {
    let pause = firstPause;
    while (!this.subscriber.closed) {
      try {
        await this.turn();
        pause = firstPause;
      } catch (cause) {
        const error = translated(cause);
        if (!isPassing(error)) return this.subscriber.error(error);
        this.restart();
        await this.rest(pause * (0.5 + Math.random() / 2));
        pause = Math.min(longestPause, pause * 2);
      }
    }
  }

  /** One question and its answer. */
  private async turn(): Promise<void> {
    const { queries } = this.options;
    if (this.index === 0n) return this.read();
    if (this.isLarge()) return this.isOld() ? this.read() : this.turnOfTree();
    this.query = new Query();
    const sent = performance.now();
    const answer = queries.later(this.range, this.index, this.query, this.heard);
    if (answer === undefined) return this.poll();
    this.take(await answer, performance.now() - sent);
    // One answer that came early is a restored snapshot; many in a row must not become a storm of questions.
    if (this.early > 1) await this.rest(Math.min(longestPause, firstPause * 2 ** this.early));
  }

  /** As {@link turn} of a tree so large that it pays to look for what changed. */
  private async turnOfTree(): Promise<void> {
    const { queries, keyspace } = this.options;
    this.query = new Query();
    const sent = performance.now();
    const moved = queries.moved(this.range, this.index, this.query, this.heard);
    if (moved === undefined) return this.poll();
    const told = await moved;
    if (!this.follows(told.index, performance.now() - sent)) return;
    const path = keyspace.path(this.range);
    this.branches ??= new Branches(this.options, path, this.index);
    const growth = await this.branches.grow(this.state.level(path), told);
    if (growth === undefined) {
      // Too many keys side by side, or no rest between the writes: all of it is one answer, and one state.
      this.flat = true;
      this.index = 0n;
      return;
    }
    if (growth.index < told.index) return this.restart();
    this.index = growth.index;
    this.news(
      growth.parts.flatMap(({ covers, pairs }) => this.state.replace(covers, pairs, this.trusted)),
      growth.index,
    );
  }

  private async read(): Promise<void> {
    this.query = new Query();
    const { pairs, index } = await this.options.queries.now(this.range, this.query, this.heard);
    this.index = index;
    this.tell(pairs, index);
    this.trusted = true;
    this.branches = undefined;
    this.wholeAt = performance.now();
    if (this.index < 1n) await this.rest(round);
  }

  private take({ pairs, index }: Seen, took: number): void {
    if (!this.follows(index, took)) return;
    this.index = index;
    this.tell(pairs, index);
  }

  /** Whether an answer has news; where it shows that there was a gap the next question is without an index. */
  private follows(index: bigint, took: number): boolean {
    const early = index === this.index && took < this.options.queries.wait * 0.9;
    this.early = early ? this.early + 1 : 0;
    if (index < this.index || early) this.restart();
    else if (index === this.index) this.mark();
    return index > this.index && !early && this.index > 0n;
  }

  private isLarge(): boolean {
    if (!('prefix' in this.range) || this.flat || this.state.size < large) return false;
    return this.options.keyspace.takesPath(this.options.keyspace.path(this.range));
  }

  /** Whether deletions may have been forgotten by now: a prefix has an index of before them then. */
  private isOld(): boolean {
    return performance.now() - this.wholeAt > longestTrust;
  }

  /** Looks in regular turns until a slot is free: an agent refuses more connections than it has slots. */
  private async poll(): Promise<void> {
    const { queries } = this.options;
    while (!this.subscriber.closed) {
      await this.rest(round - (performance.now() % round));
      if (queries.free) break;
      if (!this.subscriber.closed) await this.look();
    }
    // What was seen meanwhile has no index to go on from.
    this.index = 0n;
  }

  private async look(): Promise<void> {
    const { gets, keyspace, queries, timeout } = this.options;
    if ('key' in this.range) {
      const pair = await gets({ key: keyspace.path(this.range), timeout, abandoned: false });
      return this.tell(pair === undefined ? [] : [pair], BigInt(pair?.ModifyIndex ?? 0));
    }
    this.query = new Query();
    if ((await queries.index(this.range, this.query, this.heard)) === this.index) return this.mark();
    await this.read();
  }

  private restart(): void {
    this.index = 0n;
    this.trusted = false;
    this.flat = false;
  }

  private tell(pairs: readonly KvPair[], index: bigint): void {
    this.news(this.state.take(pairs, this.trusted), index);
  }

  private news(changes: readonly Change[], index: bigint): void {
    if (this.subscriber.closed) return;
    if (this.started && changes.length === 0) return this.mark();
    this.revision = index > this.revision ? index : this.revision;
    const { revision, started } = this;
    this.started = true;
    if (started) this.say({ type: 'patch', changes, revision });
    else this.say({ type: 'reset', entries: this.state.entries, revision });
  }

  private mark(): void {
    this.say({ type: 'mark' });
  }

  /** A part of an answer came, which may take long in all. */
  private readonly heard = (): void => {
    if (performance.now() - this.saidAt > this.options.silence / 4) this.mark();
  };

  private say(feed: Feed): void {
    this.saidAt = performance.now();
    if (!this.subscriber.closed) this.subscriber.next(feed);
  }

  /** Until so many ms have passed, or nobody listens any more. */
  private rest(ms: number): Promise<void> {
    return new Promise(resolve => {
      if (this.subscriber.closed) return resolve();
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
