/**
 * The client: etcd3 as a transport to one member, with none of its policies.
 *
 * Its own watcher loses events, its lease tells a loss late, its circuit breaker refuses a healthy server, and its
 * random choice of hosts makes failures of what another would have answered; so only its connection is used, with its
 * TLS and its raw streams, and calls go to gRPC's own clients, below the layers that etcd3 has for all of that.
 */
import { createPrivateKey } from 'node:crypto';
import type { TlsOptions } from '../../tls.js';
import { KvError } from '../../errors.js';
import { backend, notLoaded } from './errors.js';
import { type AuthService, Login, type Metadata } from './login.js';
import type { Settings } from './options.js';
import type { Handle, Sending } from './sending.js';
import type * as wire from './wire.js';

/** One member, and one connection to it. */
export interface Client {
  readonly host: string;
  /** The Etcd3 itself. */
  readonly native: unknown;
  /** `performance.now()` of the last answer of any kind. */
  heardAt: number;
  range(request: wire.RangeRequest, sending: Sending): Promise<wire.RangeResponse>;
  put(request: wire.PutRequest, sending: Sending): Promise<wire.PutResponse>;
  delete(request: wire.KeyRange, sending: Sending): Promise<wire.DeleteResponse>;
  transact(request: wire.TxnRequest, sending: Sending): Promise<wire.TxnResponse>;
  /** @param seconds of ttl */
  grant(seconds: number, sending: Sending): Promise<wire.GrantResponse>;
  revoke(lease: string, sending: Sending): Promise<unknown>;
  status(sending: Sending): Promise<wire.StatusResponse>;
  members(sending: Sending): Promise<wire.MembersResponse>;
  watch(): Promise<wire.Duplex<wire.WatchRequest, wire.WatchResponse>>;
  keepAlive(): Promise<wire.Duplex<{ readonly ID: string }, wire.KeepAliveResponse>>;
  /** The token was refused: the next call fetches another. */
  logout(): void;
  /** No more calls; those under way go on until they are called off. */
  close(): void;
}

interface CallOptions {
  readonly interceptors?: readonly unknown[];
}

/** What we rely on of etcd3: members that its own types mark as internal. */
interface Etcd3 {
  readonly kv: { readonly client: Pool };
  readonly leaseClient: { leaseKeepAlive(options?: CallOptions): ReturnType<Client['keepAlive']> };
  readonly watchClient: { watch(options?: CallOptions): ReturnType<Client['watch']> };
  close(): void;
}

/** Where all calls of an Etcd3 go through. */
interface Pool {
  authenticator: Pick<Login, 'getMetadata' | 'invalidateMetadata'>;
  readonly hosts: readonly { getServiceClient(name: string): Service }[];
}

type Method = readonly [service: string, name: string];

/** gRPC's own client of a service, by the names of its calls. */
type Service = Readonly<Record<string, Send>>;

type Send = (
  request: object,
  metadata: Metadata,
  options: object,
  told: (error: Error | null, answer: never) => void,
) => { readonly call?: Handle };

type Etcd3Class = new (options: object) => Etcd3;

/** Does what it is given, once: cockatiel's noop, without the package. etcd3 relies on that it never throws at once. */
const noPolicy = { execute: async <T>(call: (context: object) => T | Promise<T>): Promise<T> => call({}) };

/**
 * A client of one member. Connects with its first call.
 *
 * @param generation  of the connection: gRPC shares one among all with equal options, also one that hangs
 * @param patience  ms that a login may take
 * @throws KvError `unsupported` without the package etcd3, `invalid` for a key that its passphrase does not open
 */
export async function openClient(settings: Settings, host: string, generation: string, patience: number): Promise<Client> {
  const Etcd3 = await load();
  const { tls, auth } = settings;
  const etcd3 = new Etcd3({
    // Asks for TLS also where there are no certificates of our own.
    hosts: tls === undefined ? host : `https://${host}`,
    ...(tls === undefined || (tls.ca === undefined && tls.cert === undefined) ? {} : { credentials: credentialsOf(tls) }),
    faultHandling: { host: () => noPolicy, global: noPolicy },
    grpcOptions: {
      'grpc.primary_user_agent': `rxkv-${generation}`,
      // A server calls a ping within 5 s of another abuse, and ends the connection.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 3000,
      'grpc.max_receive_message_length': -1,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.min_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 1000,
      ...(tls?.servername === undefined ? {} : { 'grpc.ssl_target_name_override': tls.servername }),
    },
  });
  if (auth === undefined) return clientOf(host, etcd3, await etcd3.kv.client.authenticator.getMetadata());
  const pool = etcd3.kv.client;
  const { authenticator } = pool;
  const service = (): AuthService => serviceOf(pool, 'Auth') as unknown as AuthService;
  pool.authenticator = new Login({ auth, service, blank: () => authenticator.getMetadata(), patience });
  return clientOf(host, etcd3, undefined);
}

/** @param blank  what goes with each call; undefined where that is a login's */
function clientOf(host: string, etcd3: Etcd3, blank: Metadata | undefined): Client {
  const { kv, leaseClient, watchClient } = etcd3;
  const pool = kv.client;
  const send = <Answer>(metadata: Metadata, [service, method]: Method, request: object, sending: Sending): Promise<Answer> =>
    new Promise<Answer>((resolve, reject) => {
      const told = (error: Error | null, answer: Answer): void => {
        if (error !== null) return reject(error);
        client.heardAt = performance.now();
        resolve(answer);
      };
      const { call: handle } = (serviceOf(pool, service)[method] as Send)(request, metadata, {}, told);
      if (handle !== undefined) sending.sent(handle);
    });
  const call = <Answer>(method: Method, request: object, sending: Sending): Promise<Answer> =>
    blank === undefined
      ? pool.authenticator.getMetadata().then(metadata => send<Answer>(metadata, method, request, sending))
      : send(blank, method, request, sending);
  const client: Client = {
    host,
    native: etcd3,
    heardAt: 0,
    range: (request, sending) => call(['KV', 'range'], request, sending),
    put: (request, sending) => call(['KV', 'put'], request, sending),
    delete: (request, sending) => call(['KV', 'deleteRange'], request, sending),
    transact: (request, sending) => call(['KV', 'txn'], request, sending),
    grant: (seconds, sending) => call(['Lease', 'leaseGrant'], { TTL: seconds }, sending),
    revoke: (lease, sending) => call(['Lease', 'leaseRevoke'], { ID: lease }, sending),
    status: sending => call(['Maintenance', 'status'], {}, sending),
    members: sending => call(['Cluster', 'memberList'], {}, sending),
    watch: () => watchClient.watch({ interceptors: [wantsLeader] }),
    keepAlive: () => leaseClient.leaseKeepAlive({ interceptors: [wantsLeader] }),
    logout: () => pool.authenticator.invalidateMetadata(),
    close: () => etcd3.close(),
  };
  return client;
}

/** Made anew by etcd3 after a stream of it has failed. @throws Error of etcd3 once it is closed */
function serviceOf({ hosts }: Pool, name: string): Service {
  return (hosts[0] as Pool['hosts'][number]).getServiceClient(name);
}

interface Call {
  start(metadata: Metadata, listener?: unknown): void;
}

/** Has a member without a leader end the stream instead of staying silent. As a gRPC interceptor, without its package. */
function wantsLeader(options: unknown, nextCall: (options: unknown) => Call): Call {
  const call = nextCall(options);
  const start = call.start.bind(call);
  call.start = (metadata, listener) => {
    // One login's metadata is shared among all calls.
    const own = metadata.clone();
    own.set('hasleader', 'true');
    start(own, listener);
  };
  return call;
}

async function load(): Promise<Etcd3Class> {
  try {
    // The cast is the confession for all of this file: etcd3's types hide the raw calls, and know Buffers only.
    const { Etcd3 } = (await import('etcd3')) as unknown as { Etcd3: Etcd3Class };
    return Etcd3;
  } catch (error) {
    throw notLoaded(error);
  }
}

function credentialsOf({ ca, cert, key, passphrase }: TlsOptions): object {
  return {
    rootCertificate: ca === undefined ? undefined : Buffer.from(ca as string),
    ...(cert === undefined || key === undefined
      ? {}
      : { certChain: Buffer.from(cert as string), privateKey: openKey(Buffer.from(key as string), passphrase) }),
  };
}

/** gRPC takes no passphrase. */
function openKey(key: Buffer, passphrase: string | undefined): Buffer {
  if (passphrase === undefined) return key;
  try {
    return Buffer.from(createPrivateKey({ key, passphrase }).export({ type: 'pkcs8', format: 'pem' }));
  } catch (error) {
    throw new KvError('invalid', 'tls.passphrase of etcd() does not open tls.key', { backend, cause: error });
  }
}
