/** The URL of a cluster: `etcd://host1:2379,host2:2379/my-app`; `etcds:` for TLS with the machine's authorities. */
import { type Address, optionsOf } from '../../address.js';
import type { Driver } from '../../driver.js';
import { invalid } from '../../errors.js';
import { etcd } from './index.js';
import type { EtcdOptions } from './options.js';

/** As {@link optionsIn}. */
export function fromAddress(address: Address): Driver {
  return etcd(optionsIn(address));
}

/**
 * The path is the root, or `?rawRoot=` stands for it; a name and password go before the hosts. What needs files
 * (an authority of your own, a client certificate) is for `etcd()` itself.
 *
 * @throws KvError `invalid`
 */
export function optionsIn(address: Address): EtcdOptions {
  const { scheme, hosts, path, username, password } = address;
  const { members, ...rest } = optionsOf(address, ['hosts', 'root', 'tls', 'auth']);
  const options: EtcdOptions = { ...rest, hosts: [...hosts] };
  if (path !== '' && path !== '/') options.root = path;
  if (scheme === 'etcds') options.tls = true;
  if (username !== undefined) options.auth = { username, password: password ?? '' };
  if (members !== undefined) options.members = flag(members, 'members');
  return options;
}

function flag(text: string, name: string): boolean {
  if (text !== 'true' && text !== 'false') throw invalid(`${name} in a store URL is true or false`);
  return text === 'true';
}
