/** The driver of Consul: what it is made of. */
import type { Capabilities } from '../../capabilities.js';
import type { Driver, DriverContext } from '../../driver.js';
import { Foreign } from '../../foreign.js';
import { createNetworkedDriver, type Parts } from '../../networked.js';
import { capabilitiesOf } from './capabilities.js';
import { Cluster } from './cluster.js';
import { Committer } from './commit.js';
import { backend } from './errors.js';
import { Expiries } from './expiry.js';
import { createFeeds } from './feed.js';
import { createGets } from './get.js';
import { healthOf, strongRead } from './health.js';
import { entryOf, Keyspace } from './keyspace.js';
import { list } from './list.js';
import { Locks } from './lock.js';
import type { Settings } from './options.js';
import { Queries } from './query.js';
import { Sessions } from './session.js';

/** ms: the query of a watch that is given up occupies its connection until its wait is over. */
const linger = 1000;

export function createConsulDriver(settings: Settings): Driver {
  const capabilities = capabilitiesOf(settings);
  return createNetworkedDriver({
    name: backend,
    capabilities,
    linger,
    tellsHolder: true,
    make: context => partsOf(settings, context, capabilities),
  });
}

function partsOf(settings: Settings, { timeout, silence, logger, ending }: DriverContext, capabilities: Capabilities): Parts {
  const cluster = new Cluster(settings);
  const keyspace = new Keyspace(settings.root, new Foreign(backend, logger));
  const modes = { strong: settings.consistency, stale: 'stale' } as const;
  const gets = { strong: createGets(cluster, keyspace, modes.strong), stale: createGets(cluster, keyspace, modes.stale) };
  const sessions = new Sessions({ cluster, least: settings.sessionTtlMin, timeout, ending });
  const expiries = new Expiries(sessions);
  const committer = new Committer({ cluster, keyspace, sessions, expiries, ending });
  const queries = new Queries({ cluster, keyspace, most: settings.connections.watches, timeout, silence });
  const feed$ = createFeeds({ cluster, queries, keyspace, gets: createGets(cluster, keyspace, 'consistent'), timeout, silence });
  const locks = new Locks({ cluster, keyspace, feed$, timeout, silence, linger, ending });
  return {
    get native() {
      return cluster.native;
    },
    async ready(within) {
      await strongRead({ cluster, keyspace, timeout: within });
      return capabilities;
    },
    async get(get, consistency) {
      const send = gets[consistency];
      // What goes at once is in time by itself; what waits for others, or for a token, is not.
      get.selfTimed = cluster.inTime && !send.busy();
      const pair = await send(get);
      return { entries: pair === undefined ? [] : [entryOf(pair, get.key)], revision: BigInt(pair?.ModifyIndex ?? 0) };
    },
    list: (query, { timeout: within, consistency }) =>
      list(query, { cluster, keyspace, gets: gets[consistency], mode: modes[consistency], timeout: within }),
    commit: write => committer.commit(write),
    feed$,
    session$: ttl => sessions.session$(ttl),
    acquire$: (session, directory, value, behind) => locks.acquire$(session, directory, value, behind),
    holder$: directory => locks.holder$(directory),
    health: within => healthOf({ cluster, keyspace, timeout: within }),
    close() {
      committer.close();
      expiries.close();
      cluster.close();
    },
  };
}
