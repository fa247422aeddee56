/** etcd: a store on a cluster of version 3.4 or later. */
import type { Driver } from '../../driver.js';
import { createEtcdDriver } from './driver.js';
import { type EtcdOptions, settingsOf } from './options.js';

export type { Auth } from '../../auth.js';
export type { TlsOptions } from '../../tls.js';
export type { EtcdOptions } from './options.js';

/**
 * A driver for etcd's v3 API. Needs the package `etcd3`, loaded with the first call, and used as a transport alone.
 *
 * One connection to one of the hosts; a member that cannot be reached, or has no leader, is left for the next. Reads
 * are asked again until their timeout; a write is sent again only where no server can have seen it.
 *
 * The first call rejects `unsupported` without the package, `denied` for a certificate, name or password that is
 * refused.
 *
 * @param options.hosts  `host:port` of one member or more
 * @param options.root  a directory that all keys are under
 * @param options.tls  `true`, or certificates of your own
 * @param options.auth  `{ username, password }`
 * @param options.members  whether the members that the cluster lists are used besides `hosts`; false
 * @throws KvError `invalid` for an unknown option or host, `unsupported` for what the client etcd3 cannot do
 * @example
 * const store = createStore(etcd({ hosts: ['10.0.0.1:2379', '10.0.0.2:2379'], root: 'my-app' }));
 */
export function etcd(options: EtcdOptions): Driver {
  return createEtcdDriver(settingsOf(options));
}
