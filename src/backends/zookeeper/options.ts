/** Options of zookeeper(), and what they mean once they are checked. */
import { type Auth, authOf, isPassword, type PasswordAuth } from '../../auth.js';
import { invalid, KvError } from '../../errors.js';
import { hostsOf } from '../../hosts.js';
import { byteLength } from '../../key.js';
import { checkOptions } from '../../options.js';
import { type RootOptions, rootOf } from '../../root.js';
import { type TlsOptions, tlsOf } from '../../tls.js';
import { accessOf, type Rule } from './acl.js';
import { backend } from './errors.js';
import type { Access } from './wire.js';

export interface ZooKeeperOptions extends RootOptions {
  /** `host:port` of one server or more, any of which is used while it answers. The port is 2181 where it is left out. */
  hosts: string | string[];
  /** TLS, with the authorities that the machine trusts (`true`) or your own. */
  tls?: TlsOptions | boolean;
  /** The user of ZooKeeper's scheme `digest`. It takes a name with its password; a token is `unsupported`. */
  auth?: Auth;
  /**
   * Who may do what with the nodes that this store makes. By default everybody everything; with `auth` that user alone.
   * Nodes that are there keep theirs.
   */
  acl?: readonly Rule[];
  /** ms: `tickTime` of the servers, in which they count the life of sessions. 2000 by default, as theirs. */
  tickTime?: number;
  /**
   * Whether a key with a ttl is a TTL node, which outlives its writer. The servers must have
   * `zookeeper.extendedTypesEnabled`; they look for what has expired once a minute at their defaults. `false` by default.
   */
  ttlNodes?: boolean;
}

export interface Settings {
  /** `host:port` each. */
  readonly hosts: readonly string[];
  /** What stands before each key: '' or a directory with its slash. */
  readonly root: string;
  /** Whether `root` is a path as it stands on the server. */
  readonly raw: boolean;
  readonly tls: TlsOptions | undefined;
  readonly auth: PasswordAuth | undefined;
  readonly acl: readonly Access[];
  /** ms */
  readonly tickTime: number;
  readonly ttlNodes: boolean;
}

const where = 'zookeeper()';
/** Bytes: some room of a request is kept for the keys in it. */
const mostRoot = 1024;
const usualPort = 2181;
const usualTick = 2000;

/** @throws KvError `invalid`; `unsupported` for a token */
export function settingsOf(options: ZooKeeperOptions): Settings {
  if (options === undefined) hostsOf(undefined, usualPort, where);
  checkOptions(options, ['hosts', 'root', 'rawRoot', 'tls', 'auth', 'acl', 'tickTime', 'ttlNodes'], where);
  const { hosts, rawRoot, tickTime = usualTick, ttlNodes = false } = options;
  if (typeof ttlNodes !== 'boolean') throw invalid(`ttlNodes of ${where} is true or false`);
  if (!Number.isInteger(tickTime) || tickTime < 1 || tickTime > 3_600_000)
    throw invalid(`tickTime of ${where} is a whole number of ms over 0`);
  const root = rawRoot === undefined ? rootOf(options, where) : rawRootOf(options);
  const bytes = byteLength(root);
  if (bytes > mostRoot) throw invalid(`the root of ${where} has ${bytes} bytes of UTF-8, over the maximum of ${mostRoot}`);
  const [tls, auth] = [tlsOf(options.tls, where), passwordOf(authOf(options.auth, where))];
  const acl = accessOf(options.acl, auth, where);
  return { hosts: hostsOf(hosts, usualPort, where), root, raw: rawRoot !== undefined, tls, auth, acl, tickTime, ttlNodes };
}

/** A node has a name of its own: no prefix ends within one. */
function rawRootOf(options: RootOptions): string {
  const raw = rootOf(options, where).replace(/^\//, '');
  if (
    raw !== '' &&
    (!raw.endsWith('/') ||
      raw
        .split('/')
        .slice(0, -1)
        .some(name => name === '' || name === '.' || name === '..'))
  )
    throw invalid(`rawRoot of ${where} is the path of a node and ends in "/"`);
  return raw;
}

function passwordOf(auth: Auth | undefined): PasswordAuth | undefined {
  if (auth === undefined) return undefined;
  if (!isPassword(auth))
    throw new KvError('unsupported', `auth.token of ${where}: ZooKeeper knows auth: { username, password }`, { backend });
  if (auth.username === '' || auth.username.includes(':')) throw invalid(`auth.username of ${where} is not empty and has no ":"`);
  return auth;
}
