/**
 * Watches: all of a store's on one stream, each going on after a cut from exactly the revision that it has not seen.
 *
 * The next revision of a watch moves on with the events that it was given and with the server's own notices of
 * progress, never with the header of any other answer: while a watch catches up, that is far ahead of it.
 */
import { from, Observable, of, type Subscriber, type Subscription, switchMap, timer } from 'rxjs';
import { KvError } from '../../errors.js';
import { closedError } from '../../running.js';
import type { Client } from './client.js';
import type { Cluster } from './cluster.js';
import { backend, errorOf, failureOf, isPassing } from './errors.js';
import type { Duplex, KeyRange, WatchEvent, WatchRequest, WatchResponse } from './wire.js';

/**
 * `ready`: the server watches, and is at that revision. `events`: what changed, whole revisions only. `progress`:
 * nothing up to there. `alive`: the peer was heard. `lost`: what came next can no longer be had.
 */
export type WatchMessage =
  | { readonly type: 'ready'; readonly revision: bigint; readonly next: bigint }
  | { readonly type: 'events'; readonly events: readonly WatchEvent[]; readonly revision: bigint }
  | { readonly type: 'progress'; readonly revision: bigint }
  | { readonly type: 'alive' }
  | { readonly type: 'lost' };

interface Watch {
  readonly id: string;
  readonly range: KeyRange;
  readonly subscriber: Subscriber<WatchMessage>;
  /** The first revision that was not seen. */
  next: bigint;
  /** Events whose revision is not whole yet. */
  fragments: WatchEvent[];
  /** Whether the server of this stream has it. */
  ready: boolean;
}

/** A stream, and whose it is. */
interface Link {
  readonly client: Client;
  readonly stream: Duplex<WatchRequest, WatchResponse>;
  /** Watches that the server was asked for and has not answered, in the order of asking. */
  readonly asked: Watch[];
}

export interface WatchesOptions {
  readonly cluster: Cluster;
  /** ms that a feed may say nothing */
  readonly silence: number;
  /** ms for one round trip */
  readonly timeout: number;
}

const firstPause = 25;
const longestPause = 1000;
/** How often a stream is opened anew because its token has lapsed, before that is an error. */
const mostLogins = 3;

export class Watches {
  private readonly cluster: Cluster;
  private readonly silence: number;
  private readonly timeout: number;
  private readonly watches: Map<string, Watch> = new Map();
  private ids = 0;
  private link: Link | undefined;
  private opening: Subscription | undefined;
  private probing: Subscription | undefined;
  private pause = firstPause;
  private logins = 0;
  /** Of the last stream; another cluster's revisions mean something else. */
  private clusterId: string | undefined;

  constructor({ cluster, silence, timeout }: WatchesOptions) {
    this.cluster = cluster;
    this.silence = silence;
    this.timeout = timeout;
  }

  /** Errors for what trying again does not mend; completes after `lost`. */
  watch$(range: KeyRange, next: bigint): Observable<WatchMessage> {
    return new Observable(subscriber => {
      const watch: Watch = { id: String(++this.ids), range, subscriber, next, fragments: [], ready: false };
      this.watches.set(watch.id, watch);
      subscriber.add(() => this.remove(watch));
      if (this.link !== undefined) this.ask(this.link, watch);
      else if (this.opening === undefined) this.open(0);
    });
  }

  close(): void {
    this.failAll(closedError(backend));
  }

  private remove(watch: Watch): void {
    if (!this.watches.delete(watch.id)) return;
    const { link } = this;
    if (this.watches.size === 0) {
      this.opening?.unsubscribe();
      this.opening = undefined;
      // An open stream would keep the process alive.
      if (link !== undefined) this.leave(link);
    } else link?.stream.write({ cancel_request: { watch_id: watch.id } });
  }

  private open(delay: number): void {
    const start$ = delay === 0 ? of(0) : timer(delay);
    this.opening = start$.pipe(switchMap(() => this.connect$())).subscribe({
      next: link => {
        this.opening = undefined;
        this.begin(link);
      },
      error: (error: unknown) => {
        this.opening = undefined;
        this.broken(error);
      },
    });
  }

  private connect$(): Observable<Link> {
    return new Observable(subscriber => {
      this.connect().then(
        link => {
          if (subscriber.closed) link.stream.cancel();
          else subscriber.next(link);
        },
        (error: unknown) => subscriber.error(error),
      );
    });
  }

  private async connect(): Promise<Link> {
    const client = await this.cluster.client();
    try {
      const stream = await client.watch();
      const link: Link = { client, stream, asked: [] };
      // From the first moment on: an error that nobody listens to ends the process.
      stream.on('error', error => this.ended(link, error));
      stream.on('end', () => this.ended(link, new Error('14 UNAVAILABLE: the stream was ended')));
      stream.on('data', response => {
        if (this.link === link) this.take(link, response);
      });
      return link;
    } catch (error) {
      this.cluster.failed(client, failureOf(error), false);
      throw error;
    }
  }

  private begin(link: Link): void {
    this.link = link;
    link.client.heardAt = performance.now();
    for (const watch of this.watches.values()) this.ask(link, watch);
    this.probe(link);
  }

  private ask({ stream, asked }: Link, watch: Watch): void {
    watch.fragments = [];
    watch.ready = false;
    asked.push(watch);
    stream.write({
      create_request: {
        ...watch.range,
        start_revision: String(watch.next),
        watch_id: watch.id,
        fragment: true,
        progress_notify: true,
      },
    });
  }

  private ended(link: Link, error: Error): void {
    if (this.link !== link) return;
    this.leave(link);
    this.cluster.failed(link.client, failureOf(error), false);
    this.broken(error);
  }

  /** No stream any more: opens another, unless that would not help. */
  private broken(error: unknown): void {
    if (this.watches.size === 0 || this.opening !== undefined) return;
    const failure = failureOf(error);
    if (KvError.is(error)) return this.failAll(error);
    if (!isPassing(failure)) return this.failAll(errorOf(failure));
    const { pause } = this;
    this.pause = Math.min(longestPause, pause * 2);
    this.open(pause * (0.5 + Math.random() / 2));
  }

  private failAll(error: KvError): void {
    for (const { subscriber } of [...this.watches.values()]) subscriber.error(error);
  }

  private leave(link: Link): void {
    if (this.link !== link) return;
    this.link = undefined;
    this.probing?.unsubscribe();
    for (const watch of this.watches.values()) watch.ready = false;
    link.stream.cancel();
  }

  /** Asks for a sign of life in regular turns, and passes on what has been heard. It never moves a revision. */
  private probe(link: Link): void {
    const every = this.silence / 4;
    let heard = link.client.heardAt;
    const look = (): void => {
      const { heardAt } = link.client;
      if (heardAt > heard) {
        heard = heardAt;
        for (const { ready, subscriber } of [...this.watches.values()]) if (ready) subscriber.next({ type: 'alive' });
      }
      if (this.link === link) link.stream.write({ progress_request: {} });
    };
    this.probing = timer(every, every).subscribe(() => {
      if (performance.now() - link.client.heardAt <= this.silence / 2) return look();
      // After a blocked event loop this timer is due before the sockets have been read: one more turn for them.
      this.probing?.add(
        timer(0).subscribe(() => {
          if (performance.now() - link.client.heardAt <= this.silence / 2) return look();
          this.cluster.drop(link.client);
          this.ended(link, new Error('14 UNAVAILABLE: nothing was heard'));
        }),
      );
    });
  }

  private take(link: Link, response: WatchResponse): void {
    link.client.heardAt = performance.now();
    if (response.created) return this.created(link, response);
    const watch = this.watches.get(response.watch_id);
    // The answer to a probe or to a cancellation of ours, or meant for a watch that has been given up.
    if (watch === undefined) return;
    if (response.canceled) return this.canceled(watch, response);
    this.heard(watch, response);
  }

  private created(link: Link, { canceled, cancel_reason: reason, header }: WatchResponse): void {
    // One that is refused has no id of its own.
    const watch = link.asked.shift();
    if (canceled) return this.refused(link, watch, reason);
    this.pause = firstPause;
    this.logins = 0;
    const another = this.clusterId !== undefined && this.clusterId !== header.cluster_id;
    this.clusterId = header.cluster_id;
    if (another) {
      const asked = new Set(link.asked);
      // Those that were not asked for on this stream before: all of them stem from the other cluster.
      for (const old of [...this.watches.values()]) if (old === watch || asked.has(old)) this.lose(old);
      return;
    }
    if (watch === undefined || this.watches.get(watch.id) !== watch) return;
    watch.ready = true;
    watch.subscriber.next({ type: 'ready', revision: BigInt(header.revision), next: watch.next });
  }

  private refused(link: Link, watch: Watch | undefined, reason: string): void {
    const failure = failureOf(new Error(reason));
    // A stream has the token that it was opened with, for ever: one that has lapsed needs a call, and a new stream.
    if (/invalid auth token|auth store is old/.test(reason) && ++this.logins <= mostLogins) {
      this.leave(link);
      this.opening = from(this.login()).subscribe(() => this.open(0));
      return;
    }
    if (watch !== undefined && this.watches.get(watch.id) === watch) watch.subscriber.error(errorOf(failure));
  }

  /** Any call: etcd3 fetches a new token when the one it has is refused. */
  private async login(): Promise<void> {
    const [watch] = this.watches.values();
    if (watch === undefined) return;
    const request = { key: watch.range.key, limit: 1, keys_only: true };
    const { cluster, timeout } = this;
    await cluster.call({ send: (client, sending) => client.range(request, sending), repeatable: true, timeout }).catch(() => undefined);
  }

  private canceled(watch: Watch, { compact_revision: compacted, cancel_reason: reason }: WatchResponse): void {
    if (compacted !== '0') return this.lose(watch);
    // A server that shuts down or moves ends watches one by one.
    const failure = failureOf(new Error(reason));
    watch.subscriber.error(
      failure.code === 'internal' ? new KvError('unavailable', 'etcd ended the watch', { backend }) : errorOf(failure),
    );
  }

  private lose({ subscriber }: Watch): void {
    subscriber.next({ type: 'lost' });
    subscriber.complete();
  }

  private heard(watch: Watch, { events, fragment, header }: WatchResponse): void {
    const all = watch.fragments.length === 0 ? events : [...watch.fragments, ...events];
    watch.fragments = fragment ? [...all] : [];
    if (fragment) return;
    const last = all.at(-1);
    const revision = BigInt(last === undefined ? header.revision : last.kv.mod_revision);
    if (revision < watch.next) return;
    watch.next = revision + 1n;
    watch.subscriber.next(last === undefined ? { type: 'progress', revision } : { type: 'events', events: all, revision });
  }
}
