/** The URL of an ensemble: `zookeeper://host1:2181,host2:2181/my-app`; `zookeepers:` for TLS with the machine's authorities. */
import { type Address, optionsOf, wholeNumber } from '../../address.js';
import type { Driver } from '../../driver.js';
import { invalid } from '../../errors.js';
import { zookeeper } from './index.js';
import type { ZooKeeperOptions } from './options.js';

/**
 * The path is the root, or `?rawRoot=` stands for it; a name and password go before the hosts. What needs more than a
 * word (an authority of your own, a client certificate, an access list) is for `zookeeper()` itself.
 *
 * @throws KvError `invalid`
 */
export function fromAddress(address: Address): Driver {
  const { scheme, hosts, path, username, password } = address;
  const { tickTime, ttlNodes, ...rest } = optionsOf(address, ['hosts', 'root', 'tls', 'auth', 'acl']);
  const options: ZooKeeperOptions = { ...rest, hosts: [...hosts] };
  if (path !== '' && path !== '/') options.root = path;
  if (scheme === 'zookeepers') options.tls = true;
  if (username !== undefined) options.auth = { username, password: password ?? '' };
  const ticks = wholeNumber(tickTime, 'tickTime');
  if (ticks !== undefined) options.tickTime = ticks;
  if (ttlNodes !== undefined) options.ttlNodes = flag(ttlNodes, 'ttlNodes');
  return zookeeper(options);
}

function flag(text: string, name: string): boolean {
  if (text !== 'true' && text !== 'false') throw invalid(`${name} in a store URL is true or false`);
  return text === 'true';
}
