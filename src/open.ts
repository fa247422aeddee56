/** Opening a store by its URL. */
import { type Address, parseAddress, withoutUserinfo } from './address.js';
import type { Driver } from './driver.js';
import { KvError } from './errors.js';
import type { Store, StoreOptions } from './interface.js';
import { checkOptions, nearest } from './options.js';
import { createStore } from './store.js';

export type { Address } from './address.js';

/** Makes a driver of an address. */
export type Scheme = (address: Address) => Driver | Promise<Driver>;

export interface OpenOptions extends StoreOptions {
  /** Other people's schemes, by name without the colon. */
  schemes?: Readonly<Record<string, Scheme>>;
}

// A backend is loaded when its scheme is asked for, and its client with it.
const consul: Scheme = async address => (await import('./backends/consul/url.js')).fromAddress(address);
const etcd: Scheme = async address => (await import('./backends/etcd/url.js')).fromAddress(address);
const lmdb: Scheme = async address => (await import('./backends/lmdb/url.js')).fromAddress(address);
const memory: Scheme = async address => (await import('./backends/memory/url.js')).fromAddress(address);
const redis: Scheme = async address => (await import('./backends/redis/url.js')).fromAddress(address);
const zookeeper: Scheme = async address => (await import('./backends/zookeeper/url.js')).fromAddress(address);

/** An s at its end, or before its +, asks for TLS. */
const known: Readonly<Record<string, Scheme>> = {
  consul,
  consuls: consul,
  etcd,
  etcds: etcd,
  lmdb,
  memory,
  redis,
  'redis+cluster': redis,
  'redis+sentinel': redis,
  rediss: redis,
  'rediss+cluster': redis,
  'rediss+sentinel': redis,
  zookeeper,
  zookeepers: zookeeper,
};

/**
 * A store by its URL: `lmdb:./data?root=my-app`, `memory:`. The options of the backend stand in the query.
 *
 * Does not connect: `ready()` does. Rejects `invalid` for a URL that is none, an unknown scheme (the message
 * lists the known ones) or option, and `unsupported` where the client package is missing (the message names the
 * one to install). A URL in a message has no userinfo.
 *
 * @param options.schemes more schemes by name: `{ dynamodb: address => dynamodb({ table: address.path }) }`
 * @example
 * const store = await open(process.env.RXKV_URL ?? 'lmdb:./data');
 */
export async function open(url: string, options: OpenOptions = {}): Promise<Store> {
  checkOptions(options, ['timeout', 'silence', 'linger', 'logger', 'schemes'], 'open');
  const { schemes: given = {}, ...rest } = options;
  const schemes = checkedSchemes(given);
  const address = parseAddress(url);
  const scheme = own(schemes, address.scheme) ?? own(known, address.scheme);
  if (scheme === undefined) throw unknownScheme(url, address.scheme, [...Object.keys(known), ...Object.keys(schemes)]);
  return createStore(await scheme(address), rest);
}

/** By their names in lower case, as that of a URL is read. */
function checkedSchemes(given: Readonly<Record<string, Scheme>>): Record<string, Scheme> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new KvError('invalid', 'schemes of open is an object of functions');
  const schemes = Object.entries(given).filter(([, scheme]) => scheme !== undefined);
  const wrong = schemes.find(([, scheme]) => typeof scheme !== 'function');
  if (wrong !== undefined) throw new KvError('invalid', `scheme "${wrong[0]}" of open is not a function from an address to a driver`);
  return Object.fromEntries(schemes.map(([name, scheme]) => [name.toLowerCase(), scheme]));
}

function own(schemes: Readonly<Record<string, Scheme>>, name: string): Scheme | undefined {
  return Object.hasOwn(schemes, name) ? schemes[name] : undefined;
}

function unknownScheme(url: string, scheme: string, names: readonly string[]): KvError {
  const near = nearest(scheme, names);
  const hint = near === undefined ? '' : `did you mean "${near}:"? `;
  return new KvError(
    'invalid',
    `unknown scheme "${scheme}:" in "${withoutUserinfo(url)}": ${hint}known are ${names.map(name => `${name}:`).join(', ')}`,
  );
}
