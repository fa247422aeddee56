/** The URL of a store in memory: `memory:`, `memory:?root=my-app`. */
import { type Address, optionsOf } from '../../address.js';
import type { Driver } from '../../driver.js';
import { invalid } from '../../errors.js';
import { memory } from './index.js';

/** @throws KvError `invalid` for a URL with a host or a path: each memory: is a store of its own */
export function fromAddress(address: Address): Driver {
  if (address.hosts.length > 0 || address.username !== undefined || address.path !== '') {
    throw invalid('a memory: URL has no host and no path: memory: or memory:?root=my-app');
  }
  return memory(optionsOf(address));
}
