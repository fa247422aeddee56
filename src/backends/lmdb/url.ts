/** The URL of a folder: `lmdb:./data`, `lmdb:/var/lib/app?root=my-app&history=5000`. */
import { type Address, optionsOf, wholeNumber } from '../../address.js';
import type { Driver } from '../../driver.js';
import { invalid } from '../../errors.js';
import { lmdb } from './index.js';
import type { LmdbOptions } from './options.js';

/** @throws KvError `invalid` for a URL with a host or credentials: LMDB is a folder of this machine */
export function fromAddress(address: Address): Driver {
  if (address.hosts.length > 0 || address.username !== undefined)
    throw invalid('an lmdb: URL has no host: lmdb:./data or lmdb:/var/lib/app');
  const { history, ...rest } = optionsOf(address, ['path']);
  const options: LmdbOptions = { ...rest, path: address.path };
  const transactions = wholeNumber(history, 'history');
  return lmdb(transactions === undefined ? options : { ...options, history: transactions });
}
