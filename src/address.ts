/** An address: a store's URL taken apart, so that a backend reads options instead of text. */
import { KvError } from './errors.js';

export interface Address {
  /** Without the colon: `lmdb`. */
  readonly scheme: string;
  /** `host:port` each; [] where the URL has no `//host` part. */
  readonly hosts: readonly string[];
  /** Percent-decoded; what follows the hosts, or the colon. */
  readonly path: string;
  readonly username?: string;
  readonly password?: string;
  readonly query: ReadonlyMap<string, string>;
}

// What follows a colon is no port: the first part of a name and its password, which should have ended in an @.
const portless = /^[^[\]]*:[^,]*[^\d,]/;

/**
 * Takes a URL apart: `scheme:path?query` or `scheme://user:password@host1:port,host2:port/path?query`.
 * Not by the URL class: that knows one host only, and normalises paths.
 *
 * @throws KvError `invalid`, whose message has no userinfo
 */
export function parseAddress(url: string): Address {
  if (typeof url !== 'string') throw new KvError('invalid', 'a store URL is a string such as lmdb:./data');
  const match = /^([a-z][a-z0-9+.-]*):(\/\/[^/?]*)?([^?]*)(?:\?(.*))?$/is.exec(url);
  if (match === null) throw new KvError('invalid', `"${withoutUserinfo(url)}" is not a store URL such as lmdb:./data`);
  const [, scheme = '', authority = '', path = '', search = ''] = match;
  const at = authority.lastIndexOf('@');
  if (at === -1 && url.includes('@') && portless.test(authority.slice(2)))
    throw new KvError('invalid', `a password in a store URL is percent-encoded, / as %2F and ? as %3F: "${withoutUserinfo(url)}"`);
  const userinfo = at === -1 ? undefined : authority.slice(2, at);
  const hosts = authority.slice(at === -1 ? 2 : at + 1);
  return {
    scheme: scheme.toLowerCase(),
    hosts: hosts === '' ? [] : hosts.split(','),
    path: decoded(path, url),
    ...credentials(userinfo, url),
    query: queryOf(search, url),
  };
}

/**
 * The URL as it may be shown: without all that stands before its last @, since a password that is not escaped ends
 * nowhere else, and without its query, where others put theirs.
 */
export function withoutUserinfo(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:(?:\/\/)?)?.*@/is, '$1').replace(/\?.*/s, '');
}

/**
 * A query as options; the factory itself refuses those that it does not know.
 *
 * @param elsewhere options that have their place in the URL outside the query
 * @throws KvError `invalid` where one of those stands in the query
 */
export function optionsOf(address: Address, elsewhere: readonly string[] = []): Record<string, string> {
  const misplaced = elsewhere.find(name => address.query.has(name));
  if (misplaced !== undefined)
    throw new KvError('invalid', `option "${misplaced}" has its place before the ? of an ${address.scheme}: URL`);
  return Object.fromEntries(address.query);
}

/** @throws KvError `invalid` where an option is not a whole number */
export function wholeNumber(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw new KvError('invalid', `${name} in a store URL is a whole number`);
  return Number(text);
}

function credentials(userinfo: string | undefined, url: string): { username?: string; password?: string } {
  if (userinfo === undefined) return {};
  const colon = userinfo.indexOf(':');
  if (colon === -1) return { username: decoded(userinfo, url) };
  return { username: decoded(userinfo.slice(0, colon), url), password: decoded(userinfo.slice(colon + 1), url) };
}

function queryOf(search: string, url: string): Map<string, string> {
  const query = new Map<string, string>();
  for (const pair of search === '' ? [] : search.split('&')) {
    const equals = pair.indexOf('=');
    const name = decoded(equals === -1 ? pair : pair.slice(0, equals), url);
    if (query.has(name)) throw new KvError('invalid', `option "${name}" stands twice in "${withoutUserinfo(url)}"`);
    query.set(name, equals === -1 ? '' : decoded(pair.slice(equals + 1), url));
  }
  return query;
}

function decoded(text: string, url: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new KvError('invalid', `"${withoutUserinfo(url)}" has a % that is no escape`);
  }
}
