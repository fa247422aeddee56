/** etcd: one, or three that elect a leader; plain, with TLS for clients, or with users. */
import { join } from 'node:path';
import { type Answer, ask } from './ask.js';
import { type Certificates, makeCertificates, writeCertificates } from './certificates.js';
import { type Cluster, startCluster } from './cluster.js';
import { foreign, refuseOptions } from './foreign.js';
import type { Address, Program } from './found.js';
import { freePorts } from './ports.js';
import { type Launch, type Server, launch, prepared } from './server.js';

export interface EtcdOptions {
  /** Clients need TLS and a certificate of the authority; false */
  readonly tls?: boolean;
  /** Authentication is on, with {@link etcdUsers}; false */
  readonly auth?: boolean;
  /** More of etcd's own flags. */
  readonly args?: readonly string[];
}

export interface Etcd extends Server {
  /** `http://host:port`, or https. */
  readonly url: string;
  readonly certificates: Certificates | undefined;
  /** A call of its HTTP door: `call('kv/range', { key: base64('a') })`; with a user's token where `auth` is on. */
  call(path: string, body: object, token?: string): Promise<Answer>;
  /** A token for {@link call}. */
  login(user: { username: string; password: string }): Promise<string>;
}

/** The users of a server with `auth`: root may everything, limited reads and writes below `limited/` only. */
export const etcdUsers = {
  root: { username: 'root', password: 'root-password' },
  limited: { username: 'limited', password: 'limited-password' },
} as const;

/** Keys and values in etcd's JSON. */
export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Starts one server; resolves when it has a leader: itself. Of an address it is a foreign one, used as it is. */
export async function startEtcd(found: Program | Address, options: EtcdOptions = {}): Promise<Etcd> {
  if (found.kind === 'address') {
    refuseOptions(found, options);
    return client(foreign(found, 2379), undefined);
  }
  const [port = 0, peer = 0] = await freePorts(2);
  const certificates = options.tls === true ? await makeCertificates() : undefined;
  const what = launchOf(found, { name: 'etcd', port, peer, certificates, peers: [['etcd', peer]], args: options.args ?? [] });
  const etcd = client(await launch(what), certificates);
  if (options.auth === true) await orDispose(etcd, addUsers(etcd));
  return etcd;
}

/** Starts three members. */
export async function startEtcdCluster(program: Program, args: readonly string[] = []): Promise<Cluster<Etcd>> {
  const ports = await freePorts(6);
  const names = ['etcd 1', 'etcd 2', 'etcd 3'] as const;
  const peers = names.map((name, i) => [name.replace(' ', '-'), ports[i + 3] ?? 0] as const);
  const members = await Promise.all(
    names.map((name, i) => prepared(launchOf(program, { name, port: ports[i] ?? 0, peer: ports[i + 3] ?? 0, peers, args }))),
  );
  return startCluster(
    members.map(member => client(member, undefined)),
    async member => {
      const { body } = await member.call('maintenance/status', {});
      const { leader, header } = JSON.parse(body) as { leader?: string; header: { member_id: string } };
      return leader === header.member_id;
    },
  );
}

interface Member {
  readonly name: string;
  readonly port: number;
  readonly peer: number;
  readonly peers: readonly (readonly [string, number])[];
  readonly certificates?: Certificates | undefined;
  readonly args: readonly string[];
}

function launchOf(program: Program, { name, port, peer, peers, certificates, args }: Member): Launch {
  const url = `${certificates === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const flags = [
    ...['--name', name.replace(' ', '-'), '--log-level', 'warn', '--logger', 'zap'],
    ...['--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ...['--initial-cluster', peers.map(([each, at]) => `${each}=http://127.0.0.1:${at}`).join(',')],
    // What a killed process wrote is in the kernel: only a crash of the machine needs fsync. 3.4 cannot do without.
    ...(program.version.startsWith('3.4') ? [] : ['--unsafe-no-fsync']),
  ];
  return {
    name,
    port,
    command: program.command,
    args: folder => [...flags, '--data-dir', join(folder, 'data'), ...(certificates === undefined ? [] : tlsFlags(folder)), ...args],
    // 3.4 starts on processors other than x64 only when told that we know.
    env: { ...program.env, ...(process.arch === 'x64' ? {} : { ETCD_UNSUPPORTED_ARCH: process.arch }) },
    ...(certificates === undefined ? {} : { prepare: (folder: string) => writeCertificates(folder, certificates) }),
    ready: async () => (await ask(`${url}/health`, { certificates })).body.includes('"true"'),
  };
}

function tlsFlags(folder: string): string[] {
  const files = { '--cert-file': 'server.pem', '--key-file': 'server.key', '--trusted-ca-file': 'ca.pem' };
  return ['--client-cert-auth', ...Object.entries(files).flatMap(([flag, file]) => [flag, join(folder, file)])];
}

function client(server: Server, certificates: Certificates | undefined): Etcd {
  const url = `${certificates === undefined ? 'http' : 'https'}://${server.host}`;
  const call: Etcd['call'] = (path, body, token) =>
    ask(`${url}/v3/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      certificates,
      headers: token === undefined ? {} : { authorization: token },
    });
  return Object.assign(server, {
    url,
    certificates,
    call,
    login: async ({ username, password }: { username: string; password: string }): Promise<string> => {
      const { status, body } = await call('auth/authenticate', { name: username, password });
      const { token } = JSON.parse(body) as { token?: string };
      if (token === undefined) throw new Error(`etcd refused ${username}: ${status}`);
      return token;
    },
  });
}

async function addUsers(etcd: Etcd): Promise<void> {
  const { root, limited } = etcdUsers;
  const range = { key: base64('limited/'), range_end: base64('limited0') };
  const steps: readonly (readonly [string, object])[] = [
    ['auth/user/add', { name: root.username, password: root.password }],
    ['auth/role/add', { name: 'root' }],
    ['auth/user/grant', { user: root.username, role: 'root' }],
    ['auth/user/add', { name: limited.username, password: limited.password }],
    ['auth/role/add', { name: 'limited' }],
    ['auth/role/grant', { name: 'limited', perm: { permType: 'READWRITE', ...range } }],
    ['auth/user/grant', { user: limited.username, role: 'limited' }],
    ['auth/enable', {}],
  ];
  for (const [path, body] of steps) {
    const { status, body: answer } = await etcd.call(path, body);
    if (status !== 200) throw new Error(`etcd refused ${path}: ${status} ${answer}`);
  }
}

async function orDispose(server: Server, setup: Promise<void>): Promise<void> {
  try {
    await setup;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}
