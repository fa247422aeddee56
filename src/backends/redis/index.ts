/** Redis: a store on a server of version 6 or later, alone, behind sentinels, or as a cluster. */
import type { Driver } from '../../driver.js';
import { createRedisDriver } from './driver.js';
import { type RedisOptions, settingsOf } from './options.js';

export type { Auth } from '../../auth.js';
export type { TlsOptions } from '../../tls.js';
export type { RedisOptions, SentinelOptions } from './options.js';

/**
 * A driver for Redis. Needs the package `ioredis`, loaded with the first call, and used as a transport alone.
 *
 * One connection for calls, and one more while something is watched; to each master of a cluster. Values are plain
 * strings under their own names. Reads are asked again until their timeout; a write is sent again only where no server
 * can have acted on it.
 *
 * The first call rejects `unsupported` without the package, `denied` for a user or certificate that is refused; a watch
 * or a lock errors `unsupported` where the server or the ACL has no CLIENT TRACKING.
 *
 * @param options.hosts  `host:port` of the server, of sentinels, or of some nodes of a cluster
 * @param options.sentinel  the name of the master, where the hosts are sentinels
 * @param options.cluster  whether the hosts are nodes of a cluster; false
 * @param options.database  the number of the database; 0
 * @param options.root  a directory that all keys are under; in a cluster best a hash tag, as `{my-app}`
 * @param options.tls  `true`, or certificates of your own
 * @param options.auth  `{ username, password }`, or `{ token }` as the password of the user `default`
 * @param options.natMap  addresses as sentinels or nodes name them, and as they are reached from here
 * @param options.index  keeps a list of the keys, for databases with many others; false
 * @param options.waitReplicas  replicas that must have a lock's record before it is held; 0
 * @param options.resync  ms between two looks of a watch at everything; 300 000, 0 for none
 * @throws KvError `invalid` for an unknown option or host, `unsupported` for what a cluster has not
 * @example
 * const store = createStore(redis({ hosts: '10.0.0.1:6379', root: 'my-app' }));
 */
export function redis(options: RedisOptions): Driver {
  return createRedisDriver(settingsOf(options));
}
