/** The driver of etcd: connects when it is first used, and keeps every call in time. */
import { defer, merge, type Observable, Subject, throwError } from 'rxjs';
import type { Capabilities } from '../../capabilities.js';
import type { Coalescer } from '../../coalesce.js';
import { aborted, Deadlines } from '../../deadline.js';
import type { Call, Driver, DriverContext, Feed, Health, Listing, ListQuery, Outcome, Range, Session } from '../../driver.js';
import { KvError, type KvErrorDetail } from '../../errors.js';
import { capabilities } from './capabilities.js';
import { Cluster } from './cluster.js';
import { Committer, type Transaction, type Write } from './commit.js';
import { backend, closedError } from './errors.js';
import { Feeds } from './feed.js';
import { createGets, type Get } from './get.js';
import { healthOf, strongRead } from './health.js';
import { entryOf, Keyspace } from './keyspace.js';
import { list } from './list.js';
import type { Settings } from './options.js';
import { Sessions } from './session.js';
import { Watches } from './watches.js';
import type { RangeResponse } from './wire.js';

type ReadCall = Call & { readonly consistency: 'strong' | 'stale' };

const reading: KvErrorDetail = { backend };
const writing: KvErrorDetail = { backend, outcome: 'unknown' };

export class EtcdDriver implements Driver {
  readonly name: string = backend;
  readonly capabilities: Capabilities = capabilities;
  private readonly settings: Settings;
  private readonly deadlines: Deadlines = new Deadlines();
  private readonly closed$: Subject<never> = new Subject<never>();
  private parts: Parts | undefined;
  private closed = false;

  constructor(settings: Settings) {
    this.settings = settings;
  }

  get native(): unknown {
    return this.parts?.cluster.native;
  }

  start(context: DriverContext): void {
    if (this.parts !== undefined) throw new KvError('invalid', 'a driver belongs to one store, and this one has one', reading);
    this.parts = partsOf(this.settings, context);
  }

  async ready(call: Call): Promise<Capabilities> {
    const { cluster, keyspace } = this.open(call, 'ready');
    await this.deadlines.race(strongRead(cluster, keyspace, call.timeout), call, 'ready', reading);
    return this.capabilities;
  }

  async list(query: Range & ListQuery, call: ReadCall): Promise<Listing> {
    const parts = this.open(call, 'list');
    if ('key' in query) return this.get(parts, query, call);
    const { cluster, keyspace } = parts;
    const serializable = call.consistency === 'stale';
    const listing = list(cluster, keyspace, query, { timeout: call.timeout, serializable });
    // Each page has its own timeout.
    return this.deadlines.race(listing, { ...call, timeout: Infinity }, 'list', reading);
  }

  async commit(transaction: Transaction, call: Call): Promise<Outcome> {
    const { committer } = this.open(call, 'commit');
    const write: Write = { ...transaction, timeout: call.timeout, abandoned: false };
    return this.following(write, committer.commit(write), call, 'commit', writing);
  }

  feed$(range: Range, since?: bigint): Observable<Feed> {
    return this.live$(({ feeds }) => feeds.feed$(range, since));
  }

  session$(ttl: number): Observable<Session> {
    return this.live$(({ sessions }) => sessions.session$(ttl));
  }

  async health(call: Call): Promise<Health> {
    const { cluster, keyspace } = this.open(call, 'health');
    return this.deadlines.race(healthOf({ cluster, keyspace, timeout: call.timeout }), { ...call, timeout: Infinity }, 'health', reading);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.closed$.error(closedError());
    this.parts?.watches.close();
    this.parts?.sessions.close();
    this.parts?.cluster.close();
  }

  private async get({ gets, keyspace }: Parts, query: { readonly key: string } & ListQuery, call: ReadCall): Promise<Listing> {
    const request = {
      key: keyspace.key(query.key),
      ...(query.values === false ? { keys_only: true } : {}),
      ...(call.consistency === 'stale' ? { serializable: true } : {}),
    };
    const get: Get = { request, timeout: call.timeout, abandoned: false };
    const { kvs, header } = await this.following(get, gets[call.consistency](get), call, 'get', reading);
    return { entries: kvs.map(kv => entryOf(kv, query.key)), revision: BigInt(header.revision) };
  }

  /** Settles in time, and lets what nobody waits for any more be left out of the next request. */
  private async following<T>(
    item: { abandoned: boolean },
    answer: Promise<T>,
    call: Call,
    what: string,
    detail: KvErrorDetail,
  ): Promise<T> {
    try {
      return await this.deadlines.race(answer, call, what, detail);
    } catch (error) {
      item.abandoned = true;
      throw error;
    }
  }

  private live$<T>(use$: (parts: Parts) => Observable<T>): Observable<T> {
    return defer(() => {
      const { parts } = this;
      if (this.closed || parts === undefined) return throwError(() => (this.closed ? closedError() : notStarted()));
      return merge(use$(parts), this.closed$);
    });
  }

  private open(call: Call, what: string): Parts {
    if (this.closed) throw closedError();
    if (call.signal?.aborted === true) throw aborted(call.signal, what, reading);
    if (this.parts === undefined) throw notStarted();
    return this.parts;
  }
}

/** What a started driver is made of. */
interface Parts {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly gets: Readonly<Record<ReadCall['consistency'], Coalescer<Get, RangeResponse>>>;
  readonly committer: Committer;
  readonly watches: Watches;
  readonly feeds: Feeds;
  readonly sessions: Sessions;
}

function partsOf(settings: Settings, { timeout, silence, logger, ending }: DriverContext): Parts {
  const cluster = new Cluster(settings, timeout);
  const keyspace = new Keyspace(settings.root, key =>
    logger.warn('etcd: records below the root that are no valid key are left out', { first: key }),
  );
  const watches = new Watches({ cluster, silence, timeout });
  return {
    cluster,
    keyspace,
    gets: { strong: createGets(cluster), stale: createGets(cluster) },
    committer: new Committer({ cluster, keyspace, ending: work => ending(work.catch(() => undefined)) }),
    watches,
    feeds: new Feeds({ cluster, keyspace, watches, timeout }),
    sessions: new Sessions({ cluster, timeout, ending }),
  };
}

function notStarted(): KvError {
  return new KvError('internal', 'the driver was used before start()', reading);
}
