/** Consul: a store on the key-value store of an agent of version 1.8 or later. */
import type { Driver } from '../../driver.js';
import { createConsulDriver } from './driver.js';
import { type ConsulOptions, settingsOf } from './options.js';

export type { Auth } from '../../auth.js';
export type { TlsOptions } from '../../tls.js';
export type { ConsulOptions } from './options.js';

/**
 * A driver for Consul's HTTP API. Needs the package `consul`, loaded with the first call, and used as a transport alone.
 *
 * One of the agents is used while it answers; one that cannot be reached is left for the next. Reads are asked again
 * until their timeout; a write is sent again only where no server has carried it out.
 *
 * The first call rejects `unsupported` without the package, `denied` for a certificate or token that is refused.
 *
 * @param options.hosts  `host:port` of one agent or more
 * @param options.root  a directory that all keys are under
 * @param options.tls  `true`, or certificates of your own
 * @param options.auth  `{ token }`, a string or who provides it
 * @param options.datacenter  another than the agent's own; `namespace` and `partition` likewise, of Consul Enterprise
 * @param options.consistency  what a strong read asks for: 'consistent', or 'default'
 * @param options.sessionTtlMin  ms: the agents' `session_ttl_min`; 10 000
 * @param options.connections  how many to one agent at most; 100
 * @throws KvError `invalid` for an unknown option or host, `unsupported` for a name with a password
 * @example
 * const store = createStore(consul({ hosts: '127.0.0.1:8500', root: 'my-app' }));
 */
export function consul(options: ConsulOptions): Driver {
  return createConsulDriver(settingsOf(options));
}
