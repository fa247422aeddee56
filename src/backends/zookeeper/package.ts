/** The package node-zookeeper-client, as far as we use it. All casts over what it lacks in types stand here. */
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { notLoaded } from './errors.js';

/** A record of its protocol: what a stock request carries and a stock answer becomes. */
export interface JuteRecord {
  setChrootPath(path: string | undefined): void;
  deserialize(buffer: Buffer, offset: number): number;
}

/** What a connection sends, whether it is the package's own request or one of ours. */
export interface Sendable {
  readonly header: { xid: number; readonly type: number } | null;
  readonly payload: unknown;
  toBuffer(): Buffer;
}

export interface Packet {
  readonly request: Sendable;
  readonly callback: (error: Error | null, response?: unknown) => void;
}

/** One-shot watches, by path. */
export interface WatcherManager {
  getDataWatcherPaths(): string[];
  getExistenceWatcherPaths(): string[];
  getChildWatcherPaths(): string[];
  registerDataWatcher(path: string, watcher: Watcher): void;
  registerExistenceWatcher(path: string, watcher: Watcher): void;
  registerChildWatcher(path: string, watcher: Watcher): void;
  readonly dataWatchers: Record<string, EventEmitter>;
  readonly existenceWatchers: Record<string, EventEmitter>;
  readonly childWatchers: Record<string, EventEmitter>;
  emit(event: unknown): void;
}

export type Watcher = (event: StockEvent) => void;

export interface StockEvent {
  readonly type: number;
  readonly path: string;
}

export interface States {
  readonly DISCONNECTED: number;
  readonly CONNECTING: number;
  readonly CONNECTED: number;
  readonly CLOSING: number;
  readonly CLOSED: number;
  readonly SESSION_EXPIRED: number;
  readonly AUTHENTICATION_FAILED: number;
}

/** Its ConnectionManager: the fields and methods that Connection takes over or goes on using. */
export interface Manager extends EventEmitter {
  state: number;
  servers: { readonly host: string; readonly port: number | string }[];
  readonly chrootPath: string | undefined;
  socket: Socket | undefined;
  sessionId: Buffer;
  sessionPassword: Buffer;
  /** ms, as it was asked for until it is granted. */
  sessionTimeout: number;
  zxid: Buffer;
  xid: number;
  readonly credentials: readonly { readonly scheme: string; readonly auth: Buffer }[];
  readonly watcherManager: WatcherManager;
  readonly packetQueue: { readonly queue: Packet[]; push(packet: Packet): void };
  readonly pendingQueue: Packet[];
  setState(state: number): void;
  updateTimeout(timeout: number): void;
  queue(request: Sendable, callback?: Packet['callback']): void;
  connect(): void;
  close(): void;
  onPacketQueueReadable(): void;
}

export interface ManagerClass {
  new (connectionString: string, options: object, stateListener: (state: number) => void): Manager;
  readonly STATES: States;
}

/** Its Client, whose connection manager we replace before it connects. */
export interface StockClient extends EventEmitter {
  connectionManager: Manager;
  readonly options: object;
  connect(): void;
  close(): void;
  addAuthInfo(scheme: string, auth: Buffer): void;
  onConnectionManagerState(state: number): void;
}

export interface Package {
  readonly createClient: (connectionString: string, options: object) => StockClient;
  readonly Exception: { create(code: number): Error };
  readonly ConnectionManager: ManagerClass;
  /** Records by the name that the protocol's specification has for them. */
  readonly protocol: Readonly<Record<string, new () => JuteRecord>>;
  readonly Response: new (header: unknown, payload: unknown) => unknown;
  readonly TransactionResponse: new () => JuteRecord;
}

/** @throws KvError `unsupported` where it is not installed */
export async function loadPackage(): Promise<Package> {
  try {
    const [client, manager, jute] = await Promise.all([
      import('node-zookeeper-client'),
      import('node-zookeeper-client/lib/ConnectionManager.js'),
      import('node-zookeeper-client/lib/jute/index.js'),
    ]);
    // The casts are the confession for all of this backend: the package has no types.
    const { createClient, Exception } = client.default as Pick<Package, 'createClient' | 'Exception'>;
    const { protocol, Response, TransactionResponse } = jute.default as Pick<Package, 'protocol' | 'Response' | 'TransactionResponse'>;
    return { createClient, Exception, ConnectionManager: manager.default as ManagerClass, protocol, Response, TransactionResponse };
  } catch (error) {
    throw notLoaded(error);
  }
}
