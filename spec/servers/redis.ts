/** Redis: one server; plain, with TLS, or with users. Sentinel and Cluster are redis-sentinel.ts and redis-cluster.ts. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Certificates, makeCertificates, writeCertificates } from './certificates.js';
import type { Peer } from './dial.js';
import { foreign, refuseOptions } from './foreign.js';
import type { Address, Program } from './found.js';
import { freePorts } from './ports.js';
import { type Reply, type User, redisCommand } from './redis-wire.js';
import { type Launch, type Server, launch } from './server.js';

export interface RedisOptions {
  /** TLS only, for clients with a certificate of the authority; false */
  readonly tls?: boolean;
  /** Only {@link redisUsers} may connect; false */
  readonly auth?: boolean;
  /** More lines of redis.conf: `{ 'maxmemory': '10mb' }` */
  readonly config?: Readonly<Record<string, string | number>>;
}

export interface Redis extends Server {
  readonly certificates: Certificates | undefined;
  /** Sends one command, as the admin where there is one unless told; rejects where the server refuses, or hangs for 2 s. */
  command(args: readonly string[], user?: User): Promise<Reply>;
}

/** Users of a server with `auth`: admin may everything, limited may all with keys below `limited/` that is not dangerous. */
export const redisUsers = {
  admin: { username: 'admin', password: 'admin-password' },
  limited: { username: 'limited', password: 'limited-password' },
} as const;

/** Starts one server; resolves when it answers. */
export async function startRedis(found: Program | Address, options: RedisOptions = {}): Promise<Redis> {
  if (found.kind === 'address') {
    refuseOptions(found, options);
    return client(foreign(found, 6379), undefined, undefined);
  }
  const [port = 0] = await freePorts(1);
  const certificates = options.tls === true ? await makeCertificates() : undefined;
  return startWith(found, { name: 'redis', port, certificates, auth: options.auth === true, lines: options.config ?? {} });
}

export interface Instance {
  readonly name: string;
  readonly port: number;
  readonly certificates?: Certificates | undefined;
  readonly auth?: boolean;
  readonly lines: Readonly<Record<string, string | number>>;
  /** A sentinel keeps no data and has no use for what a server's file says of it. */
  readonly sentinel?: boolean;
}

/** Starts an instance with these lines in its file; for sentinels and members of a cluster too. */
export async function startWith(program: Program, instance: Instance): Promise<Redis> {
  const { certificates, auth = false } = instance;
  const admin = auth ? redisUsers.admin : undefined;
  const peer = peerOf(`127.0.0.1:${instance.port}`, certificates);
  const ready = async (): Promise<boolean> => (await redisCommand(peer, ['ping'], admin)) === 'PONG';
  return client(await launch({ ...launchOf(program, instance), ready }), certificates, admin);
}

function launchOf(program: Program, { name, port, certificates, auth = false, lines, sentinel = false }: Instance): Omit<Launch, 'ready'> {
  return {
    name,
    port,
    command: program.command,
    args: folder => [...program.args, join(folder, 'redis.conf'), ...(sentinel ? ['--sentinel'] : [])],
    env: program.env,
    async prepare(folder) {
      if (certificates !== undefined) await writeCertificates(folder, certificates);
      const all: readonly string[] = [
        `bind 127.0.0.1`,
        `dir ${join(folder, 'data')}`,
        ...(certificates === undefined ? [`port ${port}`] : tlsLines(folder, port)),
        ...(sentinel ? [] : dataLines),
        ...(auth ? aclLines : []),
        ...Object.entries(lines).map(([key, value]) => `${key} ${value}`),
      ];
      await writeFile(join(folder, 'redis.conf'), `${all.join('\n')}\n`, { mode: 0o600 });
    },
  };
}

// The log of writes is in the kernel before a write is answered, so a killed server loses none; it is never rewritten, and
// no snapshot is taken, because both would fork a process that we do not know.
const dataLines = ['appendonly yes', 'appendfsync no', 'auto-aof-rewrite-percentage 0', 'save ""', 'repl-diskless-sync-delay 0'];

const aclLines = [
  'user default off',
  `user ${redisUsers.admin.username} on >${redisUsers.admin.password} ~* &* +@all`,
  // The channel is where Redis says what a tracking client's keys became.
  `user ${redisUsers.limited.username} on >${redisUsers.limited.password} ~limited/* &__redis__:invalidate +@all -@dangerous -@admin`,
];

function tlsLines(folder: string, port: number): string[] {
  const files = { 'tls-cert-file': 'server.pem', 'tls-key-file': 'server.key', 'tls-ca-cert-file': 'ca.pem' };
  return [
    'port 0',
    `tls-port ${port}`,
    'tls-auth-clients yes',
    ...Object.entries(files).map(([key, file]) => `${key} ${join(folder, file)}`),
  ];
}

function client(server: Server, certificates: Certificates | undefined, admin: User | undefined): Redis {
  const peer = peerOf(server.host, certificates);
  return Object.assign(server, {
    certificates,
    command: (args: readonly string[], user = admin): Promise<Reply> => redisCommand(peer, args, user),
  });
}

function peerOf(host: string, certificates: Certificates | undefined): Peer {
  return certificates === undefined ? { host } : { host, certificates };
}
