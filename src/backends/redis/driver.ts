/** The driver of Redis: what it is made of, one server or many. */
import type { Capabilities } from '../../capabilities.js';
import type { Driver, DriverContext } from '../../driver.js';
import { Foreign } from '../../foreign.js';
import { createNetworkedDriver, type Parts } from '../../networked.js';
import { capabilitiesOf } from './capabilities.js';
import { Committer } from './commit.js';
import { backend } from './errors.js';
import { createFeeds } from './feed.js';
import { createGets } from './get.js';
import { healthOf, strongRead } from './health.js';
import { Keyspace } from './keyspace.js';
import { Lister } from './list.js';
import { Locks } from './lock.js';
import type { Settings } from './options.js';
import { serversOf } from './servers.js';
import { Sessions } from './session.js';
import { Watches } from './watches.js';

export function createRedisDriver(settings: Settings): Driver {
  const capabilities = capabilitiesOf(settings);
  return createNetworkedDriver({
    name: backend,
    capabilities,
    tellsHolder: true,
    make: context => partsOf(settings, context, capabilities),
  });
}

function partsOf(settings: Settings, { timeout, silence, logger, ending }: DriverContext, capabilities: Capabilities): Parts {
  const { resync, waitReplicas } = settings;
  const servers = serversOf(settings, timeout);
  const keyspace = new Keyspace({ ...settings, foreign: new Foreign(backend, logger, 'no valid key, or no string,') });
  const watches = new Watches({ servers, keyspace, silence, timeout });
  const feed$ = createFeeds({ servers, keyspace, watches, timeout, resync, consistent: capabilities.consistentList });
  const sessions = new Sessions({ servers, keyspace, timeout, ending });
  const gets = createGets(servers, keyspace);
  const lister = new Lister({ servers, keyspace, timeout, feed$ });
  const committer = new Committer({ servers, keyspace, sessions });
  const locks = new Locks({ servers, keyspace, sessions, watches, timeout, silence, waitReplicas, ending });
  return {
    get native() {
      return servers.native;
    },
    async ready(within) {
      await strongRead({ servers, keyspace, timeout: within });
      return capabilities;
    },
    async get(get) {
      const { revision, found } = await gets(get);
      const [only] = found;
      return { entries: only === undefined ? [] : [only.entry], revision };
    },
    list: (query, call) => lister.list(query, call.timeout),
    commit: write => committer.commit(write),
    feed$,
    session$: ttl => sessions.session$(ttl),
    acquire$: (session, directory, value, behind) => locks.acquire$(session, directory, value, behind),
    holder$: directory => locks.holder$(directory),
    health: within => healthOf({ servers, keyspace, timeout: within }),
    // A connection may hang, whoever the call was made for.
    overdue: () => servers.suspect(),
    close() {
      watches.close();
      servers.close();
    },
  };
}
