/**
 * A feed: the range as it is, then what is new in each answer of a query that blocks until it changes.
 *
 * Consul's index is a hint of when to ask again and never proof of what is there: it goes back when a snapshot is
 * restored, when data is lost and when tombstones are collected. So after an error, or a sign that something was missed,
 * the range is asked for without an index.
 */
import { Observable, type Subscriber, Subscription } from 'rxjs';
import type { Coalescer } from '../../coalesce.js';
import type { Change, Feed, Range } from '../../driver.js';
import { isPassing } from '../../failure.js';
import { Branches, pays } from './branches.js';
import type { Get } from '../../networked.js';
import type { Cluster } from './cluster.js';
import { translated } from './errors.js';
import type { Got } from './get.js';
import type { Keyspace } from './keyspace.js';
import { Position } from './position.js';
import { type Queries, Query } from './query.js';
import type { Slot } from './slots.js';
import { State } from './state.js';
import type { KvPair, Names } from './wire.js';

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

/** As {@link Driver.feed$}; there is no going on from an index. */
export function createFeeds(options: FeedsOptions): (range: Range) => Observable<Feed> {
  return range => new Observable<Feed>(subscriber => new Following(options, range, subscriber).begin());
}

/** One feed, from its subscription to its end. */
class Following {
  private readonly options: FeedsOptions;
  private readonly range: Range;
  private readonly subscriber: Subscriber<Feed>;
  private readonly state: State;
  private readonly position: Position = new Position();
  /** What was said of it, which never goes back. */
  private revision = 0n;
  private started = false;
  private saidAt = 0;
  private branches: Branches | undefined;
  /** Whether its keys are too many side by side to be looked through. */
  private flat = false;
  /** When all of it was read last, and its index then. */
  private wholeAt = 0;
  private wholeIndex = 0n;
  /** For queries that block, from the first one on. */
  private slot: Slot | undefined;
  /** When the query that blocks now was sent. */
  private blockedAt: number | undefined;
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
      this.freeSlot();
      this.wake?.();
    });
  }

  private async follow(): Promise<void> {
    let pause = firstPause;
    while (!this.subscriber.closed) {
      try {
        await this.turn();
        pause = firstPause;
        // One answer that came early is a restored snapshot; many in a row must not become a storm of questions.
        const { early } = this.position;
        if (early > 1) await this.rest(Math.min(longestPause, firstPause * 2 ** early));
      } catch (cause) {
        const error = translated(cause);
        if (!isPassing(error)) return this.subscriber.error(error);
        // While a query blocks it says nothing: what breaks off, and is not just silent, stood until now.
        if (this.blockedAt !== undefined && error.code !== 'timeout') this.mark();
        this.freeSlot();
        this.restart();
        await this.rest(pause * (0.5 + Math.random() / 2));
        pause = Math.min(longestPause, pause * 2);
      }
    }
  }

  /** One question and its answer. */
  private async turn(): Promise<void> {
    const { queries } = this.options;
    const { position, range } = this;
    if (position.index === 0n || (this.isLarge() && this.isOld())) return this.read();
    this.slot ??= queries.slot();
    if (this.slot === undefined) return this.poll();
    this.query = new Query();
    if (this.isLarge()) return this.look(await this.blocked(queries.moved(range, position.index, this.query, this.heard)));
    const seen = await this.blocked(queries.later(range, position.index, this.query, this.heard));
    if (seen !== undefined) this.tell(seen.pairs, seen.index);
  }

  private async read(): Promise<void> {
    this.query = new Query();
    const { pairs, index } = await this.options.queries.now(this.range, this.query, this.heard);
    this.tell(pairs, index);
    this.position.at(index);
    this.branches = undefined;
    this.wholeAt = performance.now();
    this.wholeIndex = index;
    if (this.isLarge()) this.flat = !pays(this.state.level(this.options.keyspace.path(this.range)));
    if (index < 1n) await this.rest(round);
  }

  /** The answer where it has news. */
  private async blocked<T extends { readonly index: bigint }>(answer: Promise<T>): Promise<T | undefined> {
    const sent = performance.now();
    this.blockedAt = sent;
    const told = await answer;
    this.blockedAt = undefined;
    const sign = this.position.judge(told.index, performance.now() - sent, this.options.queries.wait);
    if (sign === 'gap') this.restart();
    if (sign === 'rest') this.mark();
    return sign === 'news' ? told : undefined;
  }

  /** Looks for what changed in a tree that is so large that it pays. */
  private async look(names: Names | undefined): Promise<void> {
    if (names === undefined) return;
    const path = this.options.keyspace.path(this.range);
    this.branches ??= new Branches(this.options, path, this.wholeIndex);
    const growth = await this.branches.grow(this.state.level(path), names);
    if (growth === undefined) {
      // No rest between the writes: all of it is one answer, and one state.
      this.flat = true;
      this.position.index = 0n;
      return;
    }
    const { trusted } = this.position;
    const changes = growth.parts.flatMap(({ covers, pairs }) => this.state.replace(covers, pairs, trusted));
    this.position.index = growth.index;
    this.news(changes, growth.index);
  }

  /** Asks in regular turns until there is a slot: an agent refuses more connections than it has. */
  private async poll(): Promise<void> {
    const { queries } = this.options;
    while (!this.subscriber.closed) {
      await this.rest(round - (performance.now() % round));
      if (this.subscriber.closed) return;
      this.slot = queries.slot();
      if (this.slot !== undefined) break;
      await this.ask();
    }
    // What was seen meanwhile has no index to go on from.
    this.position.index = 0n;
  }

  private async ask(): Promise<void> {
    const { gets, queries, timeout } = this.options;
    if ('key' in this.range) {
      const pair = await gets({ key: this.range.key, values: true, timeout, abandoned: false });
      return this.tell(pair === undefined ? [] : [pair], BigInt(pair?.ModifyIndex ?? 0));
    }
    this.query = new Query();
    if ((await queries.index(this.range, this.query, this.heard)) === this.position.index) return this.mark();
    await this.read();
  }

  private isLarge(): boolean {
    if (!('prefix' in this.range) || this.flat || this.state.size < large) return false;
    return this.options.keyspace.takesPath(this.options.keyspace.path(this.range));
  }

  /** Whether deletions may have been forgotten by now: a prefix has an index of before them then. */
  private isOld(): boolean {
    return performance.now() - this.wholeAt > longestTrust;
  }

  private restart(): void {
    this.position.restart();
    this.flat = false;
  }

  /** An agent keeps the connection of a query that was given up until its wait is over. */
  private freeSlot(): void {
    const { longest } = this.options.queries;
    this.slot?.release(this.blockedAt === undefined ? 0 : longest - (performance.now() - this.blockedAt));
    this.slot = undefined;
    this.blockedAt = undefined;
  }

  private tell(pairs: readonly KvPair[], index: bigint): void {
    this.news(this.state.take(pairs, this.position.trusted), index);
  }

  private news(changes: readonly Change[], index: bigint): void {
    if (this.subscriber.closed) return;
    if (index > this.revision) this.revision = index;
    if (this.started && changes.length === 0) return this.mark();
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
