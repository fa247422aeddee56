/** The driver of etcd: what it is made of. */
import type { Driver, DriverContext } from '../../driver.js';
import { Foreign } from '../../foreign.js';
import { createNetworkedDriver, type Parts } from '../../networked.js';
import { capabilities } from './capabilities.js';
import { Cluster } from './cluster.js';
import { Committer } from './commit.js';
import { backend } from './errors.js';
import { createFeeds } from './feed.js';
import { createGets } from './get.js';
import { healthOf, strongRead } from './health.js';
import { Keyspace } from './keyspace.js';
import { list } from './list.js';
import { Locks } from './lock.js';
import type { Settings } from './options.js';
import { Sessions } from './session.js';
import { Watches } from './watches.js';

export function createEtcdDriver(settings: Settings): Driver {
  return createNetworkedDriver({ name: backend, capabilities, make: context => partsOf(settings, context) });
}

function partsOf(settings: Settings, { timeout, silence, logger, ending }: DriverContext): Parts {
  const cluster = new Cluster(settings, timeout);
  const keyspace = new Keyspace(settings.root, new Foreign(backend, logger));
  const watches = new Watches({ cluster, silence, timeout });
  const gets = { strong: createGets(cluster, keyspace, 'strong'), stale: createGets(cluster, keyspace, 'stale') };
  const committer = new Committer({ cluster, keyspace, ending: work => ending(work.catch(() => undefined)) });
  const feed$ = createFeeds({ cluster, keyspace, watches, get: gets.strong, timeout });
  const sessions = new Sessions({ cluster, timeout, ending });
  const locks = new Locks({ cluster, keyspace, committer, watches, timeout, ending });
  return {
    get native() {
      return cluster.native;
    },
    async ready(within) {
      await strongRead(cluster, keyspace, within);
      return capabilities;
    },
    get(get, consistency) {
      const send = gets[consistency];
      // What goes at once is in time by itself; what waits for others is not.
      get.selfTimed = !send.busy();
      return send(get);
    },
    list: (query, call) => list(cluster, keyspace, query, { timeout: call.timeout, serializable: call.consistency === 'stale' }),
    commit: write => committer.commit(write),
    feed$,
    session$: ttl => sessions.session$(ttl),
    acquire$: (session, directory, value, behind) => locks.acquire$(session, directory, value, behind),
    health: within => healthOf({ cluster, keyspace, timeout: within }),
    close() {
      watches.close();
      sessions.close();
      cluster.close();
    },
  };
}
