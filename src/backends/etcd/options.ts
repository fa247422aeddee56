/** Options of etcd(), and what they mean once they are checked. */
import { type Auth, authOf, isPassword, type PasswordAuth } from '../../auth.js';
import { invalid, KvError } from '../../errors.js';
import { hostsOf } from '../../hosts.js';
import { byteLength } from '../../key.js';
import { checkOptions } from '../../options.js';
import { type RootOptions, rootOf } from '../../root.js';
import { type TlsOptions, tlsOf } from '../../tls.js';

export interface EtcdOptions extends RootOptions {
  /** `host:port` of one member or more, any of which is used while it answers. The port is 2379 where it is left out. */
  hosts: string | string[];
  /** TLS, with the authorities that the machine trusts (`true`) or your own. */
  tls?: TlsOptions | boolean;
  /** The user whose roles hold. etcd takes a name with its password; a token is `unsupported`. */
  auth?: Auth;
  /**
   * Whether members that the cluster lists are used besides `hosts`: they must be reachable by the client URLs that
   * they advertise. `false` by default.
   */
  members?: boolean;
}

export interface Settings {
  /** `host:port` each. */
  readonly hosts: readonly string[];
  /** What stands before each key. */
  readonly root: string;
  readonly tls: TlsOptions | undefined;
  readonly auth: PasswordAuth | undefined;
  readonly members: boolean;
}

const where = 'etcd()';
/** Bytes: some room of a request is kept for the keys in it. */
const mostRoot = 1024;
const usualPort = 2379;

/** @throws KvError `invalid`; `unsupported` for what the client etcd3 cannot do */
export function settingsOf(options: EtcdOptions): Settings {
  if (options === undefined) hostsOf(undefined, usualPort, where);
  checkOptions(options, ['hosts', 'root', 'rawRoot', 'tls', 'auth', 'members'], where);
  const { hosts, members = false } = options;
  if (typeof members !== 'boolean') throw invalid(`members of ${where} is true or false`);
  const root = rootOf(options, where);
  const bytes = byteLength(root);
  if (bytes > mostRoot) throw invalid(`the root of ${where} has ${bytes} bytes of UTF-8, over the maximum of ${mostRoot}`);
  const [tls, auth] = [tlsOf(options.tls, where), authOf(options.auth, where)];
  return { hosts: hostsOf(hosts, usualPort, where), root, tls: supportedTls(tls), auth: supportedAuth(auth), members };
}

function supportedTls(tls: TlsOptions | undefined): TlsOptions | undefined {
  if (tls?.rejectUnauthorized === false)
    throw unsupported('tls.rejectUnauthorized: false of etcd(): the client etcd3 always verifies the server. Give its authority as tls.ca');
  return tls;
}

function supportedAuth(auth: Auth | undefined): PasswordAuth | undefined {
  if (auth === undefined || isPassword(auth)) return auth;
  throw unsupported('auth.token of etcd(): the client etcd3 logs in with auth: { username, password }');
}

function unsupported(message: string): KvError {
  return new KvError('unsupported', message, { backend: 'etcd' });
}
