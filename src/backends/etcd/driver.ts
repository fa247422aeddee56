/** The driver of etcd: connects when it is first used, and keeps every call in time. */
import type { Observable } from 'rxjs';
import type { Capabilities } from '../../capabilities.js';
import type { Coalescer } from '../../coalesce.js';
import type { Call, Driver, DriverContext, Feed, Grant, Health, Listing, ListQuery, Outcome, Range, Session } from '../../driver.js';
import { Running } from '../../running.js';
import { capabilities } from './capabilities.js';
import { Cluster } from './cluster.js';
import { Committer, type Transaction, type Write } from './commit.js';
import { backend } from './errors.js';
import { Feeds } from './feed.js';
import { createGets, type Get } from './get.js';
import { healthOf, strongRead } from './health.js';
import { entryOf, Keyspace } from './keyspace.js';
import { list } from './list.js';
import { Locks } from './lock.js';
import type { Settings } from './options.js';
import { Sessions } from './session.js';
import { Watches } from './watches.js';
import type { RangeResponse } from './wire.js';

type ReadCall = Call & { readonly consistency: 'strong' | 'stale' };

export class EtcdDriver implements Driver {
  readonly name: string = backend;
  readonly capabilities: Capabilities = capabilities;
  private readonly settings: Settings;
  private readonly running: Running<Parts> = new Running(backend);

  constructor(settings: Settings) {
    this.settings = settings;
  }

  get native(): unknown {
    return this.running.parts?.cluster.native;
  }

  start(context: DriverContext): void {
    this.running.start(() => partsOf(this.settings, context));
  }

  async ready(call: Call): Promise<Capabilities> {
    const { cluster, keyspace } = this.running.open(call, 'ready');
    await this.running.read(strongRead(cluster, keyspace, call.timeout), call, 'ready');
    return this.capabilities;
  }

  list(query: Range & ListQuery, call: ReadCall): Promise<Listing> {
    return 'key' in query ? this.get(query, call) : this.listing(query, call);
  }

  async commit(transaction: Transaction, call: Call): Promise<Outcome> {
    const { committer } = this.running.open(call, 'commit');
    const { checks, ops } = transaction;
    const write: Write = { checks, ops, timeout: call.timeout, abandoned: false };
    const inTime = call.signal === undefined && committer.goesAtOnce(write);
    const outcome = committer.commit(write);
    return await (inTime ? outcome : this.running.follow(write, outcome, call, 'commit'));
  }

  feed$(range: Range, since?: bigint): Observable<Feed> {
    return this.running.live$(({ feeds }) => feeds.feed$(range, since));
  }

  session$(ttl: number): Observable<Session> {
    return this.running.live$(({ sessions }) => sessions.session$(ttl));
  }

  acquire$(session: Session, directory: string, value: Uint8Array<ArrayBuffer>, behind?: () => void): Observable<Grant> {
    return this.running.live$(({ locks }) => locks.acquire$(session, directory, value, behind));
  }

  async health(call: Call): Promise<Health> {
    const { cluster, keyspace } = this.running.open(call, 'health');
    return this.running.read(healthOf({ cluster, keyspace, timeout: call.timeout }), { ...call, timeout: Infinity }, 'health');
  }

  async close(): Promise<void> {
    const parts = this.running.close();
    parts?.watches.close();
    parts?.sessions.close();
    parts?.cluster.close();
  }

  private async get(query: { readonly key: string } & ListQuery, call: ReadCall): Promise<Listing> {
    const { gets, keyspace } = this.running.open(call, 'list');
    const request = { key: keyspace.key(query.key), keys_only: query.values === false, serializable: call.consistency === 'stale' };
    const get: Get = { request, timeout: call.timeout, abandoned: false };
    const send = gets[call.consistency];
    // What goes at once is in time by itself; what waits for others is not.
    const inTime = call.signal === undefined && !send.busy();
    const { kvs, header } = await (inTime ? send(get) : this.running.follow(get, send(get), call, 'get'));
    return { entries: kvs.map(kv => entryOf(kv, query.key)), revision: BigInt(header.revision) };
  }

  private async listing(query: Exclude<Range, { key: string }> & ListQuery, call: ReadCall): Promise<Listing> {
    const { cluster, keyspace } = this.running.open(call, 'list');
    const listing = list(cluster, keyspace, query, { timeout: call.timeout, serializable: call.consistency === 'stale' });
    // Each page has its own timeout.
    return this.running.read(listing, { ...call, timeout: Infinity }, 'list');
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
  readonly locks: Locks;
}

function partsOf(settings: Settings, { timeout, silence, logger, ending }: DriverContext): Parts {
  const cluster = new Cluster(settings, timeout);
  const keyspace = new Keyspace(settings.root, key =>
    logger.warn('etcd: records below the root that are no valid key are left out', { first: key }),
  );
  const watches = new Watches({ cluster, silence, timeout });
  const gets = { strong: createGets(cluster), stale: createGets(cluster) };
  const committer = new Committer({ cluster, keyspace, ending: work => ending(work.catch(() => undefined)) });
  return {
    cluster,
    keyspace,
    gets,
    committer,
    watches,
    feeds: new Feeds({ cluster, keyspace, watches, get: gets.strong, timeout }),
    sessions: new Sessions({ cluster, timeout, ending }),
    locks: new Locks({ cluster, keyspace, committer, watches, timeout, ending }),
  };
}
