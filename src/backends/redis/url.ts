/**
 * The URL of a server, of sentinels, or of a cluster: `redis://host:6379/my-app?database=2`,
 * `redis+sentinel://host1,host2/my-app?name=mymaster`, `redis+cluster://host1,host2/{my-app}`; `rediss...:` for TLS with
 * the machine's authorities.
 */
import { type Address, optionsOf, wholeNumber } from '../../address.js';
import type { Driver } from '../../driver.js';
import { invalid } from '../../errors.js';
import { redis } from './index.js';
import type { RedisOptions } from './options.js';

/** As {@link optionsIn}. */
export function fromAddress(address: Address): Driver {
  return redis(optionsIn(address));
}

/**
 * The path is the root, or `?rawRoot=` stands for it; a name and password go before the hosts, a password alone after
 * a colon. What needs files (an authority of your own, a client certificate) is for `redis()` itself.
 *
 * @throws KvError `invalid`
 */
export function optionsIn(address: Address): RedisOptions {
  const { scheme, hosts, path, username, password } = address;
  const given = optionsOf(address, ['hosts', 'root', 'tls', 'auth', 'sentinel', 'cluster']);
  const { name, database, index, waitReplicas, resync, ...rest } = given;
  const options: RedisOptions = { ...rest, hosts: [...hosts] };
  if (path !== '' && path !== '/') options.root = path;
  // What others write there, which would be a root in silence.
  if (/^\/\d+$/.test(path)) throw invalid(`the path of a ${scheme}: URL is the root: a database is ?database=${path.slice(1)}`);
  if (scheme.startsWith('rediss')) options.tls = true;
  if (username !== undefined) options.auth = username === '' ? { token: password ?? '' } : { username, password: password ?? '' };
  if (scheme.endsWith('+cluster')) options.cluster = true;
  if (scheme.endsWith('+sentinel')) {
    if (name === undefined) throw invalid(`a ${scheme}: URL needs the name of the master: ?name=mymaster`);
    options.sentinel = name;
  } else if (name !== undefined) throw invalid(`name is an option of redis+sentinel: URLs`);
  const numbers = { database, waitReplicas, resync };
  for (const [option, text] of Object.entries(numbers)) {
    const number = wholeNumber(text, option);
    if (number !== undefined) Object.assign(options, { [option]: number });
  }
  if (index !== undefined) options.index = flag(index, 'index');
  return options;
}

function flag(text: string, name: string): boolean {
  if (text !== 'true' && text !== 'false') throw invalid(`${name} in a store URL is true or false`);
  return text === 'true';
}
