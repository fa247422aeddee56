/** A client: the package's, with a connection of ours put into it before it connects. */
import type { ConnectionOptions } from 'node:tls';
import type { TlsOptions } from '../../tls.js';
import type { Arrivals } from './arrivals.js';
import { type Connection, connectionClass } from './connection.js';
import type { Listener } from './listener.js';
import type { Settings } from './options.js';
import { loadPackage, type StockClient } from './package.js';

export interface Client {
  readonly native: StockClient;
  readonly connection: Connection;
}

export interface ClientOptions {
  /** ms of the session that is asked for */
  readonly session: number;
  /** ms after which a silent peer is left */
  readonly silence: number;
  /** Persistent watches, set on every connection. */
  readonly trees?: ReadonlyMap<string, boolean>;
  /** In which what it hears has its place. */
  readonly arrivals: Arrivals;
  readonly listener: Listener;
}

/** Connects at once. @throws KvError `unsupported` without the package */
export async function openClient(settings: Settings, { session, silence, trees, arrivals, listener }: ClientOptions): Promise<Client> {
  const stock = await loadPackage();
  const { hosts, tls, auth } = settings;
  const native = stock.createClient(hosts[0] as string, { sessionTimeout: session, retries: 0 });
  const Connection = connectionClass(stock);
  const connection = new Connection(native.options, native.onConnectionManagerState.bind(native), {
    hosts,
    tls: tls === undefined ? undefined : connectionOptionsOf(tls),
    patience: Math.max(100, Math.min(silence, session / hosts.length) / 2),
    silence,
    trees: trees ?? new Map(),
    arrivals,
    listener,
  });
  native.connectionManager = connection;
  if (auth !== undefined) native.addAuthInfo('digest', Buffer.from(`${auth.username}:${auth.password}`));
  native.connect();
  return { native, connection };
}

function connectionOptionsOf({ ca, cert, key, passphrase, servername, rejectUnauthorized }: TlsOptions): ConnectionOptions {
  const pem = (bytes: string | Uint8Array): string | Buffer => (typeof bytes === 'string' ? bytes : Buffer.from(bytes));
  return {
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(servername === undefined ? {} : { servername }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
}
