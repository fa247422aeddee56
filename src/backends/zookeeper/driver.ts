/** The driver of ZooKeeper: what it is made of. */
import type { Capabilities } from '../../capabilities.js';
import type { Driver, DriverContext } from '../../driver.js';
import { Foreign } from '../../foreign.js';
import { createNetworkedDriver, type Parts } from '../../networked.js';
import { capabilitiesOf, countedOn } from './capabilities.js';
import { Cluster } from './cluster.js';
import { Committer } from './commit.js';
import { backend } from './errors.js';
import { Expiries } from './expiry.js';
import { createFeeds } from './feed.js';
import { createGets } from './get.js';
import { healthOf, strongRead } from './health.js';
import { Keyspace } from './keyspace.js';
import { list } from './list.js';
import { Locks } from './lock.js';
import type { Settings } from './options.js';
import { Sessions } from './session.js';
import { SharedSessions } from './shared-sessions.js';
import { Clock } from './trips.js';
import { Watches } from './watches.js';

export function createZooKeeperDriver(settings: Settings): Driver {
  const capabilities = capabilitiesOf(settings);
  return createNetworkedDriver({ name: backend, capabilities, make: context => partsOf(settings, context, capabilities) });
}

function partsOf(settings: Settings, { timeout, silence, logger, ending }: DriverContext, capabilities: Capabilities): Parts {
  const cluster = new Cluster({ settings, silence });
  const keyspace = new Keyspace(settings, new Foreign(backend, logger));
  const clock = new Clock();
  const feed$ = createFeeds({ cluster, keyspace, watches: new Watches(cluster, timeout), timeout });
  const gets = {
    strong: createGets({ cluster, keyspace, strong: true }),
    stale: createGets({ cluster, keyspace, strong: false }),
  };
  const expiries = new Expiries({ get: gets.strong, commit: write => committer.commit(write), timeout });
  const shared = new SharedSessions({ settings, silence, timeout, expiries });
  const committer = new Committer({ cluster, keyspace, shared, settings, clock });
  const sessions = new Sessions({ shared, expiries, ending: work => ending(work.catch(() => undefined)) });
  const locks = new Locks({ keyspace, shared, settings, timeout, ending: work => ending(work.catch(() => undefined)) });
  return {
    get native() {
      return cluster.native;
    },
    async ready(within) {
      await strongRead(cluster, keyspace, within);
      const { sessionTimeout } = await cluster.connection();
      const longest = countedOn(sessionTimeout, settings.tickTime);
      return settings.ttlNodes || longest >= capabilities.maxTtl ? capabilities : { ...capabilities, maxTtl: longest };
    },
    get: (get, consistency) => gets[consistency](get),
    list(query, call) {
      const { read: inTime } = clock.trips(call, 'list');
      return list(query, { cluster, keyspace, feed$, timeout: call.timeout, strong: call.consistency === 'strong', inTime });
    },
    commit: write => committer.commit(write),
    feed$,
    session$: ttl => sessions.session$(ttl),
    acquire$: (session, directory, value, behind) => locks.acquire$(session, directory, value, behind),
    health: within => healthOf({ cluster, keyspace, timeout: within, inTime: clock.trips({ timeout: within }, 'health').read }),
    async close() {
      clock.close();
      await Promise.all([shared.close(), cluster.close()]);
    },
  };
}
