/** ZooKeeper: a store on an ensemble of version 3.6 or later. */
import type { Driver } from '../../driver.js';
import { createZooKeeperDriver } from './driver.js';
import { settingsOf, type ZooKeeperOptions } from './options.js';

export type { Auth } from '../../auth.js';
export type { TlsOptions } from '../../tls.js';
export type { Rule } from './acl.js';
export type { ZooKeeperOptions } from './options.js';

/**
 * A driver for ZooKeeper. Needs the package `node-zookeeper-client` 1.1.3, loaded with the first call.
 *
 * One session for calls and watches, on one of the hosts; one that cannot be reached, or says nothing, is left for the
 * next. Keys with a ttl or a session belong to sessions of their own, which those of about the same ttl share.
 *
 * The first call rejects `unsupported` without the package, `denied` for a certificate that is refused.
 *
 * @param options.hosts  `host:port` of one server or more
 * @param options.root  a directory that all keys are under
 * @param options.tls  `true`, or certificates of your own
 * @param options.auth  `{ username, password }` of the scheme `digest`
 * @param options.acl  who may do what with what the store makes; everybody everything, with `auth` that user alone
 * @param options.tickTime  ms, of the servers; 2000
 * @param options.ttlNodes  whether keys with a ttl outlive their writer; false
 * @throws KvError `invalid` for an unknown option or host, `unsupported` for a token
 * @example
 * const store = createStore(zookeeper({ hosts: ['10.0.0.1:2181', '10.0.0.2:2181'], root: 'my-app' }));
 */
export function zookeeper(options: ZooKeeperOptions): Driver {
  return createZooKeeperDriver(settingsOf(options));
}
