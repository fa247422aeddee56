/**
 * The client: ioredis as a transport to one server, for one connection that is never made again.
 *
 * ioredis by itself sends writes again that were under way when a connection broke, leaves promises unsettled while
 * it reconnects, prints what it thinks of a password, and hammers a server that refuses one. So it reconnects never,
 * queues nothing, and is told who we are by plain commands.
 */
import type { TlsOptions } from '../../tls.js';
import type { Credentials } from './credentials.js';
import { isNoScript, notLoaded } from './errors.js';
import type { Script } from './scripts.js';

export type Argument = string | number | Buffer;
/** Integers are numbers, a missing string is null, arrays nest. */
export type Reply = Buffer | number | null | readonly Reply[];

/** What we rely on of ioredis. Not its own types, so that no declaration of ours needs that package. */
export interface Redis {
  readonly status: string;
  readonly stream: { readonly destroyed: boolean; ref(): unknown; unref(): unknown; destroy(): unknown } | undefined;
  connect(): Promise<void>;
  callBuffer(name: string, ...args: Argument[]): Promise<Reply>;
  evalshaBuffer(sha: string, count: number, ...keysAndArgs: Argument[]): Promise<Reply>;
  subscribe(channel: string): Promise<unknown>;
  ping(): Promise<unknown>;
  disconnect(): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'messageBuffer', listener: (channel: Buffer, message: readonly Buffer[] | null) => void): unknown;
  once(event: 'end', listener: () => void): unknown;
}

export interface ClientOptions {
  /** host:port */
  readonly host: string;
  readonly tls: TlsOptions | undefined;
  readonly credentials?: Credentials | undefined;
  readonly database?: number;
  /** Whether the server is a node of a cluster; false */
  readonly cluster?: boolean;
  /** ms that connecting may take */
  readonly patience: number;
}

/** One connection to one server. */
export interface Client {
  readonly host: string;
  readonly native: Redis;
  /** `performance.now()` of the last answer of any kind. */
  heardAt: number;
  /** ms that an answer has been due and nothing at all was heard. */
  overdue(): number;
  /** Resolves when the connection is no more. */
  readonly ended: Promise<void>;
  /** Rejects as ioredis does; always settles, at the latest with the connection. */
  call(...command: readonly [string, ...Argument[]]): Promise<Reply>;
  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply>;
  /** Breaks the connection: what is under way rejects. */
  close(): void;
}

type RedisClass = new (options: object) => Redis;

/** @throws what ioredis and the server said; KvError `unsupported` without the package ioredis */
export async function openClient(options: ClientOptions): Promise<Client> {
  const { tls, credentials, database = 0, cluster = false } = options;
  const Redis = await load();
  const { host, port } = splitHost(options.host);
  const redis = new Redis({
    host,
    port,
    ...(tls === undefined ? {} : { tls: tlsFor(tls, host) }),
    protocol: 2,
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: options.patience,
  });
  let failure: unknown;
  // What broke the connection is told here alone; commands only hear that it is closed.
  redis.on('error', error => (failure ??= error));
  const tooLate = setTimeout(() => {
    failure ??= new Error('connect ETIMEDOUT');
    destroy(redis);
  }, options.patience);
  try {
    await redis.connect();
    const client = clientOf(options.host, redis, cluster);
    const greetings: Promise<Reply>[] = [];
    if (credentials !== undefined) greetings.push(client.call('AUTH', ...nameOf(credentials), credentials.password));
    if (database !== 0) greetings.push(client.call('SELECT', database));
    await Promise.all(greetings);
    return client;
  } catch (error) {
    destroy(redis);
    throw failure ?? error;
  } finally {
    clearTimeout(tooLate);
  }
}

function clientOf(host: string, redis: Redis, cluster: boolean): Client {
  let pending = 0;
  let askedAt = 0;
  // An idle connection keeps no process alive; one that is asked something does.
  redis.stream?.unref();
  const settled = (): void => {
    if (--pending === 0) redis.stream?.unref();
  };
  const heard = (reply: Reply): Reply => {
    client.heardAt = performance.now();
    settled();
    return reply;
  };
  const failed = (error: unknown): never => {
    // A reply that is an error was heard as well.
    if (redis.status === 'ready') client.heardAt = performance.now();
    settled();
    throw error;
  };
  const answered = (send: () => Promise<Reply>): Promise<Reply> => {
    if (pending++ === 0) {
      redis.stream?.ref();
      askedAt = performance.now();
    }
    return send().then(heard, failed);
  };
  const client: Client = {
    host,
    native: redis,
    heardAt: performance.now(),
    ended: new Promise(resolve => {
      redis.once('end', resolve);
    }),
    call: (name, ...args) => answered(() => redis.callBuffer(name, ...args)),
    run(script, keys, args) {
      return answered(() => redis.evalshaBuffer(script.sha, keys.length, ...keys, ...args)).catch((error: unknown) => {
        if (!isNoScript(error)) throw error;
        // Of a slot that is on its way to this node each command needs leave of its own, and the first one had it.
        if (cluster) client.call('ASKING').catch(() => undefined);
        return client.call('EVAL', script.source, keys.length, ...keys, ...args);
      });
    },
    overdue: () => (pending === 0 ? 0 : performance.now() - Math.max(askedAt, client.heardAt)),
    close: () => destroy(redis),
  };
  return client;
}

/** Not `disconnect()` alone: that waits for the other side, which may hang; 2 s also where the socket is no more. */
function destroy(redis: Redis): void {
  if (redis.stream?.destroyed !== true) redis.disconnect();
  redis.stream?.destroy();
}

function nameOf({ username }: Credentials): string[] {
  return username === undefined ? [] : [username];
}

/** A literal address has no brackets where it is dialled. */
function splitHost(hostAndPort: string): { host: string; port: number } {
  const colon = hostAndPort.lastIndexOf(':');
  return { host: hostAndPort.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(hostAndPort.slice(colon + 1)) };
}

function tlsFor({ ca, cert, key, ...rest }: TlsOptions, host: string): object {
  const pem = (name: string, value: string | Uint8Array | undefined): object => (value === undefined ? {} : { [name]: Buffer.from(value) });
  const named = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
  return { ...named, ...rest, ...pem('ca', ca), ...pem('cert', cert), ...pem('key', key) };
}

async function load(): Promise<RedisClass> {
  try {
    // Its types want each option exactly, and know no retryStrategy of null.
    const { Redis } = (await import('ioredis')) as unknown as { Redis: RedisClass };
    return Redis;
  } catch (error) {
    throw notLoaded(error);
  }
}
