/** Consul: one server agent, or three that elect a leader; plain, over HTTPS, or with ACLs. */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Answer, type AskOptions, ask } from './ask.js';
import { type Certificates, makeCertificates, writeCertificates } from './certificates.js';
import { type Cluster, startCluster } from './cluster.js';
import { foreign, refuseOptions } from './foreign.js';
import type { Address, Program } from './found.js';
import { freePorts } from './ports.js';
import { type Launch, type Server, launch, prepared } from './server.js';

export interface ConsulOptions {
  /** HTTPS only, for clients with a certificate of the authority; false */
  readonly tls?: boolean;
  /** ACLs are on and deny what no token allows; false */
  readonly auth?: boolean;
  /** More of the agent's configuration, over ours. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface Consul extends Server {
  /** `http://host:port`, or https. */
  readonly url: string;
  readonly certificates: Certificates | undefined;
  /** With `auth`: `management` may everything, `limited` reads and writes keys below `limited/` and has sessions. */
  readonly tokens: { readonly management: string; readonly limited: string } | undefined;
  /** A call of its API: `call('kv/a', { method: 'PUT', body: '1' })`. */
  call(path: string, options?: AskOptions & { token?: string }): Promise<Answer>;
}

/** Starts one server; resolves when it has a leader (itself) and knows its own node, which sessions need. */
export async function startConsul(found: Program | Address, options: ConsulOptions = {}): Promise<Consul> {
  if (found.kind === 'address') {
    refuseOptions(found, options);
    return client(foreign(found, 8500), undefined, undefined);
  }
  const [port = 0, serf = 0, rpc = 0] = await freePorts(3);
  const certificates = options.tls === true ? await makeCertificates() : undefined;
  const tokens = options.auth === true ? { management: randomUUID(), limited: randomUUID() } : undefined;
  const config = {
    ...agent({ node: 'consul', port, serf, rpc, secure: certificates !== undefined }),
    bootstrap_expect: 1,
    ...(tokens === undefined ? {} : { acl: { enabled: true, default_policy: 'deny', tokens: { master: tokens.management } } }),
    ...options.config,
  };
  const consul = client(
    await launch(launchOf(found, { name: 'consul', port, config, certificates, token: tokens?.management })),
    certificates,
    tokens,
  );
  if (tokens === undefined) return consul;
  try {
    await addLimitedToken(consul, tokens);
  } catch (error) {
    await consul[Symbol.asyncDispose]();
    throw error;
  }
  return consul;
}

/** Starts three members. */
export async function startConsulCluster(program: Program, config: Readonly<Record<string, unknown>> = {}): Promise<Cluster<Consul>> {
  const ports = await freePorts(9);
  const serfs = ports.slice(3, 6);
  const members = await Promise.all(
    [0, 1, 2].map(async i => {
      const [port = 0, serf = 0, rpc = 0] = [ports[i], ports[i + 3], ports[i + 6]];
      const name = `consul ${i + 1}`;
      const join = { bootstrap_expect: 3, retry_join: serfs.map(each => `127.0.0.1:${each}`), retry_interval: '250ms' };
      const agents = { ...agent({ node: `consul-${i + 1}`, port, serf, rpc, secure: false }), ...join, ...config };
      return client(await prepared(launchOf(program, { name, port, config: agents })), undefined, undefined);
    }),
  );
  const rpcOf = new Map(members.map((member, i) => [member, `"127.0.0.1:${ports[i + 6]}"`]));
  return startCluster(members, async member => (await member.call('status/leader')).body === rpcOf.get(member));
}

function agent(each: { node: string; port: number; serf: number; rpc: number; secure: boolean }): Record<string, unknown> {
  const { node, port, serf, rpc, secure } = each;
  return {
    node_name: node,
    server: true,
    bind_addr: '127.0.0.1',
    client_addr: '127.0.0.1',
    disable_update_check: true,
    // A test that stops an agent wants its node to stay a member.
    leave_on_terminate: false,
    skip_leave_on_interrupt: true,
    log_level: 'warn',
    // As quick as it gets: elections take about a second.
    performance: { raft_multiplier: 1 },
    ports: { http: secure ? -1 : port, https: secure ? port : -1, serf_lan: serf, serf_wan: -1, server: rpc, dns: -1, grpc: -1 },
    // Nodes are told apart by an id that is of the machine, unless told otherwise.
    disable_host_node_id: true,
    // Its telemetry and gossip pools would take addresses of the whole machine.
    advertise_addr: '127.0.0.1',
  };
}

interface Member {
  readonly name: string;
  readonly port: number;
  readonly config: Record<string, unknown>;
  readonly certificates?: Certificates | undefined;
  readonly token?: string | undefined;
}

function launchOf(program: Program, { name, port, config, certificates, token }: Member): Launch {
  const url = `${certificates === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  return {
    name,
    port,
    command: program.command,
    args: folder => ['agent', '-data-dir', join(folder, 'data'), '-config-file', join(folder, 'agent.json')],
    env: program.env,
    async prepare(folder) {
      if (certificates !== undefined) await writeCertificates(folder, certificates);
      const files = { ca_file: join(folder, 'ca.pem'), cert_file: join(folder, 'server.pem'), key_file: join(folder, 'server.key') };
      const tls = certificates === undefined ? {} : { ...files, verify_incoming_https: true };
      await writeFile(join(folder, 'agent.json'), JSON.stringify({ ...config, ...tls }), { mode: 0o600 });
    },
    async ready() {
      // Sessions are refused until the leader has put the node into the catalogue, a while after it was elected.
      const headers: Record<string, string> = token === undefined ? {} : { 'x-consul-token': token };
      const { status, body } = await ask(`${url}/v1/catalog/node/${String(config.node_name)}?consistent`, { certificates, headers });
      return status === 200 && body !== 'null';
    },
  };
}

function client(server: Server, certificates: Certificates | undefined, tokens: Consul['tokens']): Consul {
  const url = `${certificates === undefined ? 'http' : 'https'}://${server.host}`;
  return Object.assign(server, {
    url,
    certificates,
    tokens,
    call(path: string, { token, headers = {}, ...options }: AskOptions & { token?: string } = {}): Promise<Answer> {
      const bearer: Record<string, string> = token === undefined ? {} : { 'x-consul-token': token };
      return ask(`${url}/v1/${path}`, { certificates, ...options, headers: { ...headers, ...bearer } });
    },
  });
}

async function addLimitedToken(consul: Consul, { management, limited }: NonNullable<Consul['tokens']>): Promise<void> {
  const rules = 'key_prefix "limited/" { policy = "write" } session_prefix "" { policy = "write" } node_prefix "" { policy = "read" }';
  const steps: readonly (readonly [string, object])[] = [
    ['acl/policy', { Name: 'limited', Rules: rules }],
    ['acl/token', { SecretID: limited, Policies: [{ Name: 'limited' }] }],
  ];
  for (const [path, body] of steps) {
    const { status, body: answer } = await consul.call(path, { method: 'PUT', body: JSON.stringify(body), token: management });
    if (status !== 200) throw new Error(`consul refused ${path}: ${status} ${answer}`);
  }
}
