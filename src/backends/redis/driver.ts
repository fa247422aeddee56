/** The driver of Redis: connects when it is first used, and keeps every call in time. */
import type { Observable } from 'rxjs';
import type { Capabilities } from '../../capabilities.js';
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
import { KvError } from '../../errors.js';
import { Running } from '../../running.js';
import { capabilitiesOf } from './capabilities.js';
import type { Transaction } from './codec.js';
import { Committer, type Write } from './commit.js';
import { backend } from './errors.js';
import { Feeds } from './feed.js';
import { createGets, type Get, type Reading } from './get.js';
import { healthOf, strongRead } from './health.js';
import { Keyspace } from './keyspace.js';
import { Lister } from './list.js';
import { Locks } from './lock.js';
import type { Settings } from './options.js';
import { type Servers, serversOf } from './servers.js';
import { Sessions } from './session.js';
import { Watches } from './watches.js';

type ReadCall = Call & { readonly consistency: 'strong' | 'stale' };

export class RedisDriver implements Driver {
  readonly name: string = backend;
  readonly capabilities: Capabilities;
  private readonly settings: Settings;
  private readonly running: Running<Parts> = new Running(backend);

  constructor(settings: Settings) {
    this.settings = settings;
    this.capabilities = capabilitiesOf(settings);
  }

  get native(): unknown {
    return this.running.parts?.servers.native;
  }

  start(context: DriverContext): void {
    this.running.start(() => partsOf(this.settings, context, this.capabilities));
  }

  async ready(call: Call): Promise<Capabilities> {
    const { servers, keyspace } = this.running.open(call, 'ready');
    await this.running.read(strongRead({ servers, keyspace, timeout: call.timeout }), call, 'ready');
    return this.capabilities;
  }

  async list(query: Range & ListQuery, call: ReadCall): Promise<Listing> {
    const parts = this.running.open(call, 'list');
    if ('key' in query) return this.get(parts, query, call);
    // Each step has its own timeout.
    return this.running.read(parts.lister.list(query, call.timeout), { ...call, timeout: Infinity }, 'list');
  }

  async commit({ checks, ops }: Transaction, call: Call): Promise<Outcome> {
    const { servers, committer } = this.running.open(call, 'commit');
    const write: Write = { checks, ops, timeout: call.timeout, abandoned: false };
    // A tree that is deleted key by key has a timeout for each step.
    const stepwise = this.capabilities.atomic === 'key' && ops.some(op => 'deletePrefix' in op);
    const timed = stepwise ? { ...call, timeout: Infinity } : call;
    return await heard(servers, this.running.follow(write, committer.commit(write), timed, 'commit'));
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
    const { servers, keyspace } = this.running.open(call, 'health');
    return this.running.read(healthOf({ servers, keyspace, timeout: call.timeout }), { ...call, timeout: Infinity }, 'health');
  }

  async close(): Promise<void> {
    const parts = this.running.close();
    parts?.watches.close();
    parts?.servers.close();
  }

  private async get({ servers, gets }: Parts, query: { readonly key: string } & ListQuery, call: ReadCall): Promise<Listing> {
    const get: Get = { key: query.key, values: query.values !== false, timeout: call.timeout, abandoned: false };
    const { revision, found } = await heard(servers, this.running.follow(get, gets(get), call, 'get'));
    const [only] = found;
    return { entries: only === undefined ? [] : [only.entry], revision };
  }
}

/** Takes note of a call that was not answered in time: its connection may hang, whoever it was made for. */
function heard<T>(servers: Servers, answer: Promise<T>): Promise<T> {
  return answer.catch((error: unknown) => {
    if (KvError.is(error) && error.code === 'timeout') servers.suspect();
    throw error;
  });
}

/** What a started driver is made of. */
interface Parts {
  readonly servers: Servers;
  readonly keyspace: Keyspace;
  readonly gets: (one: Get) => Promise<Reading>;
  readonly lister: Lister;
  readonly committer: Committer;
  readonly watches: Watches;
  readonly feeds: Feeds;
  readonly sessions: Sessions;
  readonly locks: Locks;
}

function partsOf(settings: Settings, { timeout, silence, logger, ending }: DriverContext, { consistentList }: Capabilities): Parts {
  const { resync, waitReplicas } = settings;
  const servers = serversOf(settings, timeout);
  const keyspace = new Keyspace({
    ...settings,
    firstForeign: key => logger.warn('redis: records below the root that are no valid key, or no string, are left out', { first: key }),
  });
  const watches = new Watches({ servers, keyspace, silence, timeout });
  const feeds = new Feeds({ servers, keyspace, watches, timeout, resync, consistent: consistentList });
  const sessions = new Sessions({ servers, keyspace, timeout, ending });
  return {
    servers,
    keyspace,
    gets: createGets(servers, keyspace),
    lister: new Lister({ servers, keyspace, timeout, feed$: range => feeds.feed$(range) }),
    committer: new Committer({ servers, keyspace, sessions }),
    watches,
    feeds,
    sessions,
    locks: new Locks({ servers, keyspace, sessions, watches, timeout, silence, waitReplicas, ending }),
  };
}
