/** Options of consul(), and what they mean once they are checked. */
import { type Auth, authOf, isPassword, type TokenAuth } from '../../auth.js';
import { invalid, KvError } from '../../errors.js';
import { hostsOf } from '../../hosts.js';
import { byteLength } from '../../key.js';
import { checkOptions } from '../../options.js';
import { type RootOptions, rootOf } from '../../root.js';
import { type TlsOptions, tlsOf } from '../../tls.js';
import { printable } from './keyspace.js';

export interface ConsulOptions extends RootOptions {
  /** `host:port` of one agent or more, any of which is used while it answers. The port is 8500 where it is left out. */
  hosts: string | string[];
  /** TLS, with the authorities that the machine trusts (`true`) or your own. */
  tls?: TlsOptions | boolean;
  /** The token whose policies hold, or who provides it. A name with its password is `unsupported`. */
  auth?: Auth;
  /** Another datacenter than the agent's own. */
  datacenter?: string;
  /** A namespace of Consul Enterprise. */
  namespace?: string;
  /** An admin partition of Consul Enterprise. */
  partition?: string;
  /**
   * What a strong read asks for: `consistent` has the leader make sure that it still is one, which takes the servers a
   * round trip more; `default` trusts its lease, and may be behind for a moment after it was deposed. `consistent` by default.
   */
  consistency?: 'consistent' | 'default';
  /** ms: the agents' `session_ttl_min`, where it is not Consul's own 10 000. What is left of a dead writer goes twice as late. */
  sessionTtlMin?: number;
  /**
   * Connections to one agent at most: a fifth of them for the calls of this store, the rest for watches, which all stores
   * of the process share; over that, watches ask in turns. 100 by default: an agent takes 200 from one address at its
   * defaults (`http_max_conns_per_client`).
   */
  connections?: number;
}

export interface Settings {
  /** `host:port` each. */
  readonly hosts: readonly string[];
  /** What stands before each key. */
  readonly root: string;
  readonly tls: TlsOptions | undefined;
  readonly auth: TokenAuth | undefined;
  readonly datacenter: string | undefined;
  readonly namespace: string | undefined;
  readonly partition: string | undefined;
  readonly consistency: 'consistent' | 'default';
  /** ms */
  readonly sessionTtlMin: number;
  readonly connections: { readonly calls: number; readonly watches: number };
}

const where = 'consul()';
/** Bytes: some room of a request is kept for the keys in it. */
const mostRoot = 1024;
const usualPort = 8500;
const day = 86_400_000;

/** @throws KvError `invalid`; `unsupported` for credentials that Consul does not take */
export function settingsOf(options: ConsulOptions): Settings {
  if (options === undefined) hostsOf(undefined, usualPort, where);
  checkOptions(
    options,
    // biome-ignore format: a list
    ['hosts', 'root', 'rawRoot', 'tls', 'auth', 'datacenter', 'namespace', 'partition', 'consistency', 'sessionTtlMin', 'connections'],
    where,
  );
  const { datacenter, namespace, partition, consistency = 'consistent', sessionTtlMin = 10_000, connections = 100 } = options;
  for (const [name, value] of Object.entries({ datacenter, namespace, partition }))
    if (value !== undefined && (typeof value !== 'string' || value === '')) throw invalid(`${name} of ${where} is a name`);
  if (consistency !== 'consistent' && consistency !== 'default') throw invalid(`consistency of ${where} is "consistent" or "default"`);
  if (typeof sessionTtlMin !== 'number' || !(sessionTtlMin > 0 && sessionTtlMin <= day))
    throw invalid(`sessionTtlMin of ${where} is ms, up to a day`);
  if (!Number.isInteger(connections) || connections < 2) throw invalid(`connections of ${where} is a whole number, 2 or more`);
  const calls = Math.max(1, Math.floor(connections / 5));
  return {
    hosts: hostsOf(options.hosts, usualPort, where),
    root: plainRoot(rootOf(options, where)),
    tls: tlsOf(options.tls, where),
    auth: supportedAuth(authOf(options.auth, where)),
    datacenter,
    namespace,
    partition,
    consistency,
    sessionTtlMin,
    connections: { calls, watches: connections - calls },
  };
}

/** A root that Consul takes in a URL, and not for the path of another key. */
function plainRoot(root: string): string {
  const bytes = byteLength(root);
  if (bytes > mostRoot) throw invalid(`the root of ${where} has ${bytes} bytes of UTF-8, over the maximum of ${mostRoot}`);
  const segments = root.split('/');
  if (!printable.test(root)) throw invalid(`the root of ${where} has a character that is not printable, which Consul does not take`);
  if (segments.some((segment, i) => isPath(segment, i === segments.length - 1)))
    throw invalid(`rawRoot of ${where} has a segment that is empty, "." or "..", which Consul does not take`);
  return root;
}

function isPath(segment: string, last: boolean): boolean {
  return (segment === '' && !last) || segment === '.' || segment === '..';
}

function supportedAuth(auth: Auth | undefined): TokenAuth | undefined {
  if (auth === undefined || !isPassword(auth)) return auth;
  throw new KvError('unsupported', 'auth.username of consul(): Consul takes a token, auth: { token }', { backend: 'consul' });
}
