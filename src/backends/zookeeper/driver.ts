/** The driver of ZooKeeper: connects when it is first used, and keeps every call in time. */
import type { Observable } from 'rxjs';
import type { Capabilities } from '../../capabilities.js';
import type { Coalescer } from '../../coalesce.js';
import type { Call, Driver, DriverContext, Feed, Grant, Health, Listing, ListQuery, Outcome, Range, Session } from '../../driver.js';
import { type Abandonable, Running } from '../../running.js';
import { mayTakeSteps, type Trips, type Write } from './batch.js';
import type { InTime } from './call.js';
import { capabilitiesOf, countedOn } from './capabilities.js';
import { Cluster } from './cluster.js';
import { Committer } from './commit.js';
import { backend } from './errors.js';
import { Expiries } from './expiry.js';
import { Feeds } from './feed.js';
import { createGets, type Get } from './get.js';
import { healthOf, strongRead } from './health.js';
import { Keyspace } from './keyspace.js';
import { list } from './list.js';
import { Locks } from './lock.js';
import type { Settings } from './options.js';
import type { Transaction } from './plan.js';
import { Sessions } from './session.js';
import { SharedSessions } from './shared-sessions.js';
import { Watches } from './watches.js';

type ReadCall = Call & { readonly consistency: 'strong' | 'stale' };

export class ZooKeeperDriver implements Driver {
  readonly name: string = backend;
  readonly capabilities: Capabilities;
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
    await this.running.read(strongRead(cluster, keyspace, call.timeout), call, 'ready');
    const { sessionTimeout } = await cluster.connection();
    const { maxTtl } = this.capabilities;
    const longest = countedOn(sessionTimeout, this.settings.tickTime);
    return this.settings.ttlNodes || longest >= maxTtl ? this.capabilities : { ...this.capabilities, maxTtl: longest };
  }

  async list(query: Range & ListQuery, call: ReadCall): Promise<Listing> {
    const parts = this.running.open(call, 'list');
    if ('key' in query) return this.get(parts, query.key, call);
    const { cluster, keyspace, feeds } = parts;
    const inTime: InTime = answer => this.running.read(answer, call, 'list');
    const listing = list(query, { cluster, keyspace, feeds, timeout: call.timeout, strong: call.consistency === 'strong', inTime });
    // Each round trip has its own timeout.
    return this.running.read(listing, { ...call, timeout: Infinity }, 'list');
  }

  async commit(transaction: Transaction, call: Call): Promise<Outcome> {
    const { committer } = this.running.open(call, 'commit');
    const { checks, ops } = transaction;
    const write: Write = { checks, ops, timeout: call.timeout, abandoned: false };
    if (!mayTakeSteps(write)) return this.running.follow(write, committer.commit(write), call, 'commit');
    // Each step has its own timeout.
    const stepwise: Write = { ...write, trips: this.trips(call) };
    return this.running.follow(stepwise, committer.commit(stepwise), { ...call, timeout: Infinity }, 'commit');
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

  async health(call: Call): Promise<Health> {
    const { cluster, keyspace } = this.running.open(call, 'health');
    const inTime: InTime = answer => this.running.read(answer, call, 'health');
    return this.running.read(healthOf({ cluster, keyspace, timeout: call.timeout, inTime }), { ...call, timeout: Infinity }, 'health');
  }

  async close(): Promise<void> {
    const parts = this.running.close();
    await Promise.all([parts?.shared.close(), parts?.cluster.close()]);
  }

  private trips(call: Call): Trips {
    const request: Abandonable = { abandoned: false };
    return {
      read: answer => this.running.read(answer, call, 'commit'),
      write: answer => this.running.follow(request, answer, call, 'commit'),
    };
  }

  private async get({ gets }: Parts, key: string, call: ReadCall): Promise<Listing> {
    const get: Get = { key, timeout: call.timeout, abandoned: false };
    return this.running.follow(get, gets[call.consistency](get), call, 'get');
  }
}

/** What a started driver is made of. */
interface Parts {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly gets: Readonly<Record<ReadCall['consistency'], Coalescer<Get, Listing>>>;
  readonly shared: SharedSessions;
  readonly committer: Committer;
  readonly feeds: Feeds;
  readonly sessions: Sessions;
  readonly locks: Locks;
}

function partsOf(settings: Settings, { timeout, silence, logger, ending }: DriverContext): Parts {
  const cluster = new Cluster({ settings, silence });
  const keyspace = new Keyspace(settings, key =>
    logger.warn('zookeeper: records below the root that are no valid key are left out', { first: key }),
  );
  const watches = new Watches(cluster, timeout);
  const feeds = new Feeds({ cluster, keyspace, watches, timeout });
  const gets = {
    strong: createGets({ cluster, keyspace, strong: true }),
    stale: createGets({ cluster, keyspace, strong: false }),
  };
  const expiries = new Expiries({ get: gets.strong, commit: write => committer.commit(write), timeout });
  const shared = new SharedSessions({ settings, silence, timeout, expiries });
  const committer = new Committer({ cluster, keyspace, shared, settings });
  return {
    cluster,
    keyspace,
    gets,
    shared,
    committer,
    feeds,
    sessions: new Sessions({ shared, expiries, ending: work => ending(work.catch(() => undefined)) }),
    locks: new Locks({ keyspace, shared, settings, timeout, ending: work => ending(work.catch(() => undefined)) }),
  };
}
