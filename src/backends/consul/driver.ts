/** The driver of Consul: connects when it is first used, and keeps every call in time. */
import type { Observable } from 'rxjs';
import type { Capabilities } from '../../capabilities.js';
import type { Coalescer } from '../../coalesce.js';
import type {
  Call,
  Driver,
  DriverContext,
  Feed,
  Grant,
  Health,
  Holder,
  Listing,
  ListQuery,
  Outcome,
  Range,
  Session,
} from '../../driver.js';
import { Running } from '../../running.js';
import { capabilitiesOf } from './capabilities.js';
import { Cluster } from './cluster.js';
import { Committer } from './commit.js';
import { backend } from './errors.js';
import { Expiries } from './expiry.js';
import { Feeds } from './feed.js';
import { createGets, type Get, type Got, type ReadMode } from './get.js';
import { healthOf, strongRead } from './health.js';
import { entryOf, Keyspace } from './keyspace.js';
import { list } from './list.js';
import { Locks } from './lock.js';
import type { Settings } from './options.js';
import { Queries } from './query.js';
import { Sessions } from './session.js';
import type { Transaction, Write } from './write.js';

type ReadCall = Call & { readonly consistency: 'strong' | 'stale' };

/** ms: the query of a watch that is given up occupies its connection until its wait is over. */
const linger = 1000;

export class ConsulDriver implements Driver {
  readonly name: string = backend;
  readonly capabilities: Capabilities;
  readonly linger: number = linger;
  private readonly settings: Settings;
  private readonly running: Running<Parts> = new Running(backend);

  constructor(settings: Settings) {
    this.settings = settings;
    this.capabilities = capabilitiesOf(settings);
  }

  get native(): unknown {
    return this.running.parts?.cluster.native;
  }

  start(context: DriverContext): void {
    this.running.start(() => partsOf(this.settings, context));
  }

  async ready(call: Call): Promise<Capabilities> {
    const { cluster, keyspace } = this.running.open(call, 'ready');
    await this.running.read(strongRead({ cluster, keyspace, timeout: call.timeout }), call, 'ready');
    return this.capabilities;
  }

  list(query: Range & ListQuery, call: ReadCall): Promise<Listing> {
    return 'key' in query ? this.get(query.key, call) : this.listing(query, call);
  }

  async commit(transaction: Transaction, call: Call): Promise<Outcome> {
    const { committer, cluster } = this.running.open(call, 'commit');
    const { checks, ops } = transaction;
    const write: Write = { checks, ops, timeout: call.timeout, abandoned: false };
    const inTime = call.signal === undefined && cluster.inTime && committer.goesAtOnce(write);
    const outcome = committer.commit(write);
    return await (inTime ? outcome : this.running.follow(write, outcome, call, 'commit'));
  }

  feed$(range: Range): Observable<Feed> {
    return this.running.live$(({ feeds }) => feeds.feed$(range));
  }

  session$(ttl: number): Observable<Session> {
    return this.running.live$(({ sessions }) => sessions.session$(ttl));
  }

  acquire$(session: Session, key: string, value: Uint8Array<ArrayBuffer>, behind?: () => void): Observable<Grant> {
    return this.running.live$(({ locks }) => locks.acquire$(session, key, value, behind));
  }

  holder$(key: string): Observable<Holder | undefined> {
    return this.running.live$(({ locks }) => locks.holder$(key));
  }

  async health(call: Call): Promise<Health> {
    const { cluster, keyspace } = this.running.open(call, 'health');
    return this.running.read(healthOf({ cluster, keyspace, timeout: call.timeout }), { ...call, timeout: Infinity }, 'health');
  }

  async close(): Promise<void> {
    const parts = this.running.close();
    parts?.expiries.close();
    parts?.cluster.close();
  }

  private async get(key: string, call: ReadCall): Promise<Listing> {
    const { gets, keyspace, cluster } = this.running.open(call, 'list');
    const get: Get = { key: keyspace.key(key), timeout: call.timeout, abandoned: false };
    const send = gets[call.consistency];
    // What goes at once is in time by itself; what waits for others, or for a token, is not.
    const inTime = call.signal === undefined && cluster.inTime && !send.busy();
    const pair = await (inTime ? send(get) : this.running.follow(get, send(get), call, 'get'));
    return { entries: pair === undefined ? [] : [entryOf(pair, key)], revision: BigInt(pair?.ModifyIndex ?? 0) };
  }

  private async listing(query: Exclude<Range, { key: string }> & ListQuery, call: ReadCall): Promise<Listing> {
    const { cluster, keyspace, gets } = this.running.open(call, 'list');
    const { timeout, consistency } = call;
    const listing = list(query, { cluster, keyspace, gets: gets[consistency], mode: this.mode(consistency), timeout });
    // Each round trip has its own timeout.
    return this.running.read(listing, { ...call, timeout: Infinity }, 'list');
  }

  private mode(consistency: ReadCall['consistency']): ReadMode {
    return consistency === 'stale' ? 'stale' : this.settings.consistency;
  }
}

/** What a started driver is made of. */
interface Parts {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly gets: Readonly<Record<ReadCall['consistency'], Coalescer<Get, Got>>>;
  readonly committer: Committer;
  readonly expiries: Expiries;
  readonly feeds: Feeds;
  readonly locks: Locks;
  readonly sessions: Sessions;
}

function partsOf(settings: Settings, { timeout, silence, logger, ending }: DriverContext): Parts {
  const cluster = new Cluster(settings);
  const keyspace = new Keyspace(settings.root, key =>
    logger.warn('consul: records below the root that are no valid key are left out', { first: key }),
  );
  const sessions = new Sessions({ cluster, least: settings.sessionTtlMin, timeout, ending });
  const expiries = new Expiries(sessions);
  const queries = new Queries({ cluster, keyspace, most: settings.connections.watches, timeout, silence });
  const feeds = new Feeds({ cluster, queries, keyspace, gets: createGets(cluster, keyspace, 'consistent'), timeout, silence });
  return {
    cluster,
    keyspace,
    gets: { strong: createGets(cluster, keyspace, settings.consistency), stale: createGets(cluster, keyspace, 'stale') },
    committer: new Committer({ cluster, keyspace, sessions, expiries, ending }),
    expiries,
    feeds,
    locks: new Locks({ cluster, keyspace, feed$: range => feeds.feed$(range), timeout, silence, linger, ending }),
    sessions,
  };
}
