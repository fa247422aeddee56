/** The URL of an agent: `consul://127.0.0.1:8500/my-app`; `consuls:` for TLS with the machine's authorities. */
import { type Address, optionsOf, wholeNumber } from '../../address.js';
import type { Driver } from '../../driver.js';
import { invalid } from '../../errors.js';
import { consul } from './index.js';
import type { ConsulOptions } from './options.js';

/**
 * The path is the root, or `?rawRoot=` stands for it; a token goes before the hosts, as the password of no name
 * (`consul://:token@host`). What needs files (an authority of your own, a client certificate) is for `consul()` itself.
 *
 * @throws KvError `invalid`
 */
export function fromAddress(address: Address): Driver {
  const { scheme, hosts, path, username, password } = address;
  const { sessionTtlMin, connections, ...rest } = optionsOf(address, ['hosts', 'root', 'tls', 'auth']);
  const options = { ...rest, hosts: [...hosts] } as ConsulOptions;
  if (path !== '' && path !== '/') options.root = path;
  if (scheme === 'consuls') options.tls = true;
  if (username !== undefined && username !== '') throw invalid('a token in a consul: URL stands after a colon: consul://:token@host');
  if (password !== undefined) options.auth = { token: password };
  const numbers = { sessionTtlMin: wholeNumber(sessionTtlMin, 'sessionTtlMin'), connections: wholeNumber(connections, 'connections') };
  for (const [name, number] of Object.entries(numbers)) if (number !== undefined) Object.assign(options, { [name]: number });
  return consul(options);
}
