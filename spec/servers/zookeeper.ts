/** ZooKeeper: one, or an ensemble of three that elects a leader; plain, with TLS, or for authenticated sessions only. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Certificates, makeCertificates, writeCertificates } from './certificates.js';
import { type Cluster, startCluster } from './cluster.js';
import { foreign, refuseOptions } from './foreign.js';
import type { Address, Program } from './found.js';
import { freePorts } from './ports.js';
import { type Launch, type Server, launch, prepared } from './server.js';
import type { Peer } from './dial.js';
import { type ZooKeeperSession, endSession, fourLetters, openSession } from './zookeeper-wire.js';

export interface ZooKeeperOptions {
  /** TLS only, for clients with a certificate of the authority; false */
  readonly tls?: boolean;
  /** Sessions must authenticate with a digest before anything else; false. Who owns a node, its ACL says in any case. */
  readonly auth?: boolean;
  /** ms; sessions get between 2 and 20 of them: 1 s to 10 s by default. 500 */
  readonly tickTime?: number;
  /** More lines of zoo.cfg. */
  readonly config?: Readonly<Record<string, string | number>>;
  /** More system properties: `{ 'zookeeper.extendedTypesEnabled': true }` */
  readonly properties?: Readonly<Record<string, string | boolean>>;
}

export interface ZooKeeper extends Server {
  readonly certificates: Certificates | undefined;
  /** The answer to a four-letter word; all of them are allowed. */
  fourLetters(word: string): Promise<string>;
  /** A session of our own small client. */
  session(timeout?: number): Promise<ZooKeeperSession>;
  /** Ends a session of any client, as its expiry would. */
  endSession(id: bigint, user?: { readonly username: string; readonly password: string }): Promise<void>;
}

/** Digest users for tests; ZooKeeper keeps no list of users, so any pair will do. */
export const zooKeeperUsers = {
  owner: { username: 'owner', password: 'owner-password' },
  other: { username: 'other', password: 'other-password' },
} as const;

/** Starts one server; resolves when it serves. */
export async function startZooKeeper(found: Program | Address, options: ZooKeeperOptions = {}): Promise<ZooKeeper> {
  if (found.kind === 'address') {
    refuseOptions(found, options);
    return client(foreign(found, 2181), undefined);
  }
  const [port = 0] = await freePorts(1);
  const certificates = options.tls === true ? await makeCertificates() : undefined;
  return client(await launch(launchOf(found, { name: 'zookeeper', port, certificates, options })), certificates);
}

/** Starts an ensemble of three. */
export async function startZooKeeperEnsemble(program: Program, options: Omit<ZooKeeperOptions, 'tls'> = {}): Promise<Cluster<ZooKeeper>> {
  const ports = await freePorts(9);
  const peers: Record<string, string> = {};
  for (const id of [1, 2, 3]) peers[`server.${id}`] = `127.0.0.1:${ports[id + 2]}:${ports[id + 5]}`;
  const members = await Promise.all(
    [1, 2, 3].map(async id => {
      const ensemble = { id, config: { ...peers, initLimit: 20, syncLimit: 10 } };
      return client(await prepared(launchOf(program, { name: `zookeeper ${id}`, port: ports[id - 1] ?? 0, ensemble, options })), undefined);
    }),
  );
  return startCluster(members, async member => (await member.fourLetters('srvr')).includes('Mode: leader'));
}

interface Member {
  readonly name: string;
  readonly port: number;
  readonly certificates?: Certificates | undefined;
  readonly ensemble?: { readonly id: number; readonly config: Readonly<Record<string, string | number>> };
  readonly options: ZooKeeperOptions;
}

function launchOf(program: Program, { name, port, certificates, ensemble, options }: Member): Launch {
  const { auth = false, tickTime = 500, config = {}, properties = {} } = options;
  const secure = certificates !== undefined;
  const system: Record<string, string | boolean> = {
    'zookeeper.4lw.commands.whitelist': '*',
    'zookeeper.admin.enableServer': false,
    // What a killed process wrote is in the kernel: only a crash of the machine needs fsync.
    'zookeeper.forceSync': 'no',
    'org.slf4j.simpleLogger.defaultLogLevel': 'warn',
    ...(auth ? { 'zookeeper.enforce.auth.enabled': true, 'zookeeper.enforce.auth.schemes': 'digest' } : {}),
    ...(secure ? { 'zookeeper.serverCnxnFactory': 'org.apache.zookeeper.server.NettyServerCnxnFactory' } : {}),
    ...properties,
  };
  // Small and quick to start: a test's server lives for seconds.
  const java = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
  const definitions = Object.entries(system).map(([key, value]) => `-D${key}=${value}`);
  return {
    name,
    port,
    command: program.command,
    args: folder => [
      ...java,
      ...definitions,
      ...program.args,
      'org.apache.zookeeper.server.quorum.QuorumPeerMain',
      join(folder, 'zoo.cfg'),
    ],
    env: program.env,
    async prepare(folder) {
      if (certificates !== undefined) await writeCertificates(folder, certificates);
      if (ensemble !== undefined) await writeFile(join(folder, 'data/myid'), `${ensemble.id}\n`);
      const lines = {
        dataDir: join(folder, 'data'),
        tickTime,
        maxClientCnxns: 0,
        // Its own default would make a file of 64 MB for each server.
        preAllocSize: 1024,
        ...(secure ? tlsLines(folder, port) : { clientPort: port, clientPortAddress: '127.0.0.1' }),
        ...ensemble?.config,
        ...config,
      };
      await writeFile(
        join(folder, 'zoo.cfg'),
        Object.entries(lines)
          .map(([key, value]) => `${key}=${value}\n`)
          .join(''),
      );
    },
    ready: async () => (await fourLetters('srvr', peerOf(`127.0.0.1:${port}`, certificates))).includes('Mode: '),
  };
}

function tlsLines(folder: string, port: number): Record<string, string | number> {
  return {
    secureClientPort: port,
    secureClientPortAddress: '127.0.0.1',
    'ssl.keyStore.location': join(folder, 'server-both.pem'),
    'ssl.keyStore.type': 'PEM',
    'ssl.trustStore.location': join(folder, 'ca.pem'),
    'ssl.trustStore.type': 'PEM',
    'ssl.clientAuth': 'need',
  };
}

function client(server: Server, certificates: Certificates | undefined): ZooKeeper {
  const peer = peerOf(server.host, certificates);
  return Object.assign(server, {
    certificates,
    fourLetters: (word: string): Promise<string> => fourLetters(word, peer),
    session: (timeout?: number): Promise<ZooKeeperSession> => openSession(peer, timeout),
    endSession: (id: bigint, user?: { readonly username: string; readonly password: string }): Promise<void> => endSession(peer, id, user),
  });
}

function peerOf(host: string, certificates: Certificates | undefined): Peer {
  return certificates === undefined ? { host } : { host, certificates };
}
