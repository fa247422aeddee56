/** Watches: all of a store's on one stream, each going on after a cut from exactly the revision that it has not seen. */
import { from, Observable, of, type Subscription, switchMap, timer } from 'rxjs';
import { KvError } from '../../errors.js';
import { closedError } from '../../running.js';
import { isPassing } from '../../failure.js';
import type { Cluster } from './cluster.js';
import { backend, errorOf, failureOf, hasNoLeader, isTokenRefused } from './errors.js';
import { Watch, type WatchMessage } from './watch.js';
import { type StreamOwner, WatchStream } from './watch-stream.js';
import type { KeyRange, WatchResponse } from './wire.js';

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
/** ms: a member ends a stream after three election timeouts without a leader, which are 1 s at its defaults. */
const leaderlessBefore = 3000;

export class Watches {
  private readonly cluster: Cluster;
  private readonly silence: number;
  private readonly timeout: number;
  private readonly watches: Map<string, Watch> = new Map();
  private readonly owner: StreamOwner;
  private ids = 0;
  private stream: WatchStream | undefined;
  private opening: Subscription | undefined;
  private pause = firstPause;
  private logins = 0;
  /** `performance.now()` from when on, as far as is known, no member that we reach has had a leader. */
  private leaderlessSince: number | undefined;
  /** Of the last stream; another cluster's revisions mean something else. */
  private clusterId: string | undefined;

  constructor({ cluster, silence, timeout }: WatchesOptions) {
    this.cluster = cluster;
    this.silence = silence;
    this.timeout = timeout;
    this.owner = {
      heard: (stream, response) => {
        if (this.stream === stream) this.take(stream, response);
      },
      alive: () => this.each(watch => watch.alive()),
      hung: stream => {
        cluster.drop(stream.client);
        this.ended(stream, new Error('14 UNAVAILABLE: nothing was heard'));
      },
      ended: (stream, error) => this.ended(stream, error),
    };
  }

  /** Errors for what trying again does not mend; completes after `lost`. */
  watch$(range: KeyRange, next: bigint): Observable<WatchMessage> {
    return new Observable(subscriber => {
      const watch = new Watch(String(++this.ids), range, next, subscriber);
      this.watches.set(watch.id, watch);
      subscriber.add(() => this.remove(watch));
      if (this.stream !== undefined) this.stream.ask(watch);
      else if (this.opening === undefined) this.open(0);
    });
  }

  close(): void {
    this.failAll(closedError(backend));
  }

  private remove(watch: Watch): void {
    if (!this.watches.delete(watch.id)) return;
    if (this.watches.size > 0) return this.stream?.forget(watch);
    this.opening?.unsubscribe();
    this.opening = undefined;
    // An open stream would keep the process alive.
    if (this.stream !== undefined) this.leave(this.stream);
  }

  private open(delay: number): void {
    const start$ = delay === 0 ? of(0) : timer(delay);
    this.opening = start$.pipe(switchMap(() => this.connect$())).subscribe({
      next: stream => {
        this.opening = undefined;
        this.begin(stream);
      },
      error: (error: unknown) => {
        this.opening = undefined;
        this.broken(error);
      },
    });
  }

  private connect$(): Observable<WatchStream> {
    return new Observable(subscriber => {
      this.connect().then(
        stream => {
          if (subscriber.closed) stream.close();
          else subscriber.next(stream);
        },
        (error: unknown) => subscriber.error(error),
      );
    });
  }

  private async connect(): Promise<WatchStream> {
    const client = await this.cluster.client();
    try {
      return await WatchStream.open(client, this.owner);
    } catch (error) {
      this.cluster.failed(client, failureOf(error), false);
      throw error;
    }
  }

  private begin(stream: WatchStream): void {
    this.stream = stream;
    for (const watch of this.watches.values()) stream.ask(watch);
    stream.probe(this.silence, this.owner);
  }

  private ended(stream: WatchStream, error: Error): void {
    if (this.stream !== stream) return;
    this.leave(stream);
    this.cluster.failed(stream.client, failureOf(error), false);
    if (hasNoLeader(error)) this.leaderlessSince ??= performance.now() - (stream.taken ? leaderlessBefore : 0);
    this.broken(error);
  }

  /** No stream any more: opens another, unless that would not help. */
  private broken(error: unknown): void {
    if (this.watches.size === 0 || this.opening !== undefined) return;
    if (KvError.is(error)) return this.failAll(error);
    const failure = failureOf(error);
    if (!isPassing(failure) || this.isLeaderless()) return this.failAll(errorOf(failure));
    const { pause } = this;
    this.pause = Math.min(longestPause, pause * 2);
    this.open(pause * (0.5 + Math.random() / 2));
  }

  /** Whether for longer than a feed may be silent: a member without a leader still answers, and knows of nothing new. */
  private isLeaderless(): boolean {
    const { leaderlessSince, silence } = this;
    return leaderlessSince !== undefined && performance.now() - leaderlessSince >= silence;
  }

  private failAll(error: KvError): void {
    this.leaderlessSince = undefined;
    this.each(watch => watch.fail(error));
  }

  private each(tell: (watch: Watch) => void): void {
    for (const watch of [...this.watches.values()]) tell(watch);
  }

  private leave(stream: WatchStream): void {
    if (this.stream !== stream) return;
    this.stream = undefined;
    this.each(watch => watch.left());
    stream.close();
  }

  private take(stream: WatchStream, response: WatchResponse): void {
    stream.client.heardAt = performance.now();
    if (response.created) return this.created(stream, response);
    const watch = this.watches.get(response.watch_id);
    // The answer to a probe or to a cancellation of ours, or meant for a watch that has been given up.
    if (watch === undefined) return;
    if (response.canceled) return this.canceled(watch, response);
    watch.heard(response);
  }

  private created(stream: WatchStream, { canceled, cancel_reason: reason, header }: WatchResponse): void {
    const watch = stream.answered();
    if (canceled) return this.refused(stream, watch, reason);
    stream.taken = true;
    this.pause = firstPause;
    this.logins = 0;
    this.leaderlessSince = undefined;
    const another = this.clusterId !== undefined && this.clusterId !== header.cluster_id;
    this.clusterId = header.cluster_id;
    // Those that were not asked for on this stream before: all of them stem from the other cluster.
    if (another) this.each(old => (old === watch || stream.awaits(old)) && old.lose());
    else if (watch !== undefined && this.watches.get(watch.id) === watch) watch.accepted(header.revision);
  }

  private refused(stream: WatchStream, watch: Watch | undefined, reason: string): void {
    const refusal = new Error(reason);
    // A stream has the token that it was opened with, for ever: one that has lapsed needs a call, and a new stream.
    if (isTokenRefused(refusal) && ++this.logins <= mostLogins) {
      this.leave(stream);
      this.opening = from(this.login()).subscribe(() => this.open(0));
      return;
    }
    if (watch !== undefined && this.watches.get(watch.id) === watch) watch.fail(errorOf(failureOf(refusal)));
  }

  /** Any call: a new token is fetched when the one that there is is refused. */
  private async login(): Promise<void> {
    const [watch] = this.watches.values();
    if (watch === undefined) return;
    const request = { key: watch.range.key, limit: 1, keys_only: true };
    const { cluster, timeout } = this;
    await cluster.call({ send: (client, sending) => client.range(request, sending), repeatable: true, timeout }).catch(() => undefined);
  }

  private canceled(watch: Watch, { compact_revision: compacted, cancel_reason: reason }: WatchResponse): void {
    if (compacted !== '0') return watch.lose();
    const failure = failureOf(new Error(reason));
    // A server that shuts down or moves ends watches one by one.
    watch.fail(failure.code === 'internal' ? new KvError('unavailable', 'etcd ended the watch', { backend }) : errorOf(failure));
  }
}
