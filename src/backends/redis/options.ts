/** Options of redis(), and what they mean once they are checked. */
import { type Auth, authOf } from '../../auth.js';
import { invalid, KvError } from '../../errors.js';
import { hostsOf } from '../../hosts.js';
import { byteLength } from '../../key.js';
import { checkOptions } from '../../options.js';
import { type RootOptions, rootOf } from '../../root.js';
import { type TlsOptions, tlsOf } from '../../tls.js';
import { isTagged } from './slot.js';

export interface SentinelOptions {
  /** What the sentinels call the master. */
  name: string;
  /** The user at the sentinels; none by default. */
  auth?: Auth;
}

export interface RedisOptions extends RootOptions {
  /** `host:port` of the server; of the sentinels where `sentinel` is given (port 26379); of some nodes of the cluster. */
  hosts: string | string[];
  /** The hosts are sentinels, and the master is the one that they name so. */
  sentinel?: string | SentinelOptions;
  /** The hosts are nodes of a cluster. `false` by default. */
  cluster?: boolean;
  /** The number of the database; 0. A cluster has no other. */
  database?: number;
  /** TLS, with the authorities that the machine trusts (`true`) or your own; for sentinels too. */
  tls?: TlsOptions | boolean;
  /** The ACL user; a token is the password of the user `default`. */
  auth?: Auth;
  /** Addresses as sentinels or nodes name them, and as they are reached from here: `{ '172.17.0.2:6379': 'localhost:7001' }`. */
  natMap?: Readonly<Record<string, string>>;
  /** Keeps a list of the keys, so that listing does not look through the whole database. `false` by default. */
  index?: boolean;
  /** Replicas that must have a lock's record before it is held, at the server's word; 0. */
  waitReplicas?: number;
  /** ms between two looks of a watch at everything, for what Redis tells nobody (SWAPDB); 300 000, 0 for none */
  resync?: number;
}

export interface Settings {
  /** `host:port` each. */
  readonly hosts: readonly string[];
  readonly sentinel: SentinelOptions | undefined;
  readonly cluster: boolean;
  readonly database: number;
  /** What stands before each key. */
  readonly root: string;
  readonly tls: TlsOptions | undefined;
  readonly auth: Auth | undefined;
  /** `host:port` as it is told, to `host:port` as it is dialled. */
  readonly natMap: ReadonlyMap<string, string>;
  readonly index: boolean;
  readonly waitReplicas: number;
  /** ms; Infinity for none */
  readonly resync: number;
}

const where = 'redis()';
const mostRoot = 1024;
const usualPort = 6379;
const usualSentinelPort = 26_379;
const usualResync = 300_000;
const names = ['hosts', 'root', 'rawRoot', 'tls', 'auth', 'sentinel', 'cluster', 'database', 'natMap', 'index', 'waitReplicas', 'resync'];

/** @throws KvError `invalid`, and `unsupported` for what a cluster has not */
export function settingsOf(options: RedisOptions): Settings {
  if (options === undefined) hostsOf(undefined, usualPort, where);
  checkOptions(options, names, where);
  const { cluster = false, index = false } = options;
  checkFlag(cluster, 'cluster');
  checkFlag(index, 'index');
  const sentinel = sentinelOf(options.sentinel);
  const hosts = hostsOf(options.hosts, sentinel === undefined ? usualPort : usualSentinelPort, where);
  if (cluster && sentinel !== undefined) throw invalid(`${where} takes sentinel or cluster, not both`);
  if (hosts.length > 1 && !cluster && sentinel === undefined)
    throw invalid(`${where} takes one host, or sentinel: 'name' for sentinels, or cluster: true for nodes of a cluster`);
  const settings: Settings = {
    hosts,
    sentinel,
    cluster,
    index,
    database: whole(options.database ?? 0, 'database'),
    root: checkedRoot(options),
    tls: tlsOf(options.tls, where),
    auth: authOf(options.auth, where),
    natMap: natMapOf(options.natMap, cluster || sentinel !== undefined),
    waitReplicas: whole(options.waitReplicas ?? 0, 'waitReplicas'),
    resync: whole(options.resync ?? usualResync, 'resync') || Infinity,
  };
  if (cluster) checkCluster(settings);
  return settings;
}

function checkedRoot(options: RedisOptions): string {
  const root = rootOf(options, where);
  const bytes = byteLength(root);
  if (bytes > mostRoot) throw invalid(`the root of ${where} has ${bytes} bytes of UTF-8, over the maximum of ${mostRoot}`);
  return root;
}

function checkCluster({ root, database, index }: Settings): void {
  if (database !== 0) throw unsupported(`database ${database} of ${where}: a cluster has database 0 only`);
  if (isTagged(root)) return;
  if (/[{}]/.test(root)) throw invalid(`the root of ${where} has braces that are no hash tag, such as "{my-app}"`);
  if (index) throw unsupported(`index of ${where} with cluster: its keys must be in one slot, as with root: '{my-app}'`);
}

function sentinelOf(given: string | SentinelOptions | undefined): SentinelOptions | undefined {
  if (given === undefined) return undefined;
  const { name, auth } = typeof given === 'string' ? { name: given, auth: undefined } : checkedSentinel(given);
  if (typeof name !== 'string' || name === '') throw invalid(`sentinel of ${where} is the master's name, or { name, auth }`);
  const checked = authOf(auth, `sentinel of ${where}`);
  return checked === undefined ? { name } : { name, auth: checked };
}

function checkedSentinel(given: SentinelOptions): SentinelOptions {
  checkOptions(given, ['name', 'auth'], `sentinel of ${where}`);
  return given;
}

function natMapOf(given: Readonly<Record<string, string>> | undefined, told: boolean): ReadonlyMap<string, string> {
  if (given === undefined) return new Map();
  if (!told) throw invalid(`natMap of ${where} is for sentinel and cluster, who tell addresses`);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw invalid(`natMap of ${where} is an object of addresses`);
  return new Map(Object.entries(given).map(([from, to]) => [from, hostsOf(to, usualPort, `natMap of ${where}`)[0] as string]));
}

function checkFlag(value: unknown, name: string): void {
  if (typeof value !== 'boolean') throw invalid(`${name} of ${where} is true or false`);
}

function whole(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw invalid(`${name} of ${where} is a whole number`);
  return value;
}

function unsupported(message: string): KvError {
  return new KvError('unsupported', message, { backend: 'redis' });
}
