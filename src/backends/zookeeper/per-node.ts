/**
 * Per node: what a feed does on a server that has no persistent watches. Every node has a watch of its value and one of
 * the names in it, each good for one event and set again with the next read.
 */
import type { Range } from '../../driver.js';
import type { Cluster } from './cluster.js';
import type { Answer, Connection } from './connection.js';
import { isFault } from './errors.js';
import { childOf } from './keyspace.js';
import type { StockEvent, Watcher } from './package.js';
import { code, exists, getChildren, getData, happened, type Node, removeWatches, watchKind } from './wire.js';

export interface PerNodeOptions {
  readonly cluster: Cluster;
  /** ms for one round trip */
  readonly timeout: number;
  readonly range: Range;
  /** Told of each node that is to be read. */
  readonly touched: (path: string) => void;
}

type Found = (path: string, node: Node | number, answer: Answer<unknown>) => void;

export class PerNode {
  private readonly options: PerNodeOptions;
  /** Nodes that were read, and whether the names in them are watched. */
  private readonly known: Map<string, boolean> = new Map();
  private connection: Connection | undefined;
  private readonly watcher: Watcher = event => this.heard(event);

  constructor(options: PerNodeOptions) {
    this.options = options;
  }

  /** Reads nodes, each with a watch of it, and tells of those in it that were not known. */
  async read(paths: readonly string[], found: Found): Promise<void> {
    const { cluster, timeout } = this.options;
    await cluster.call({
      send: async (connection, deadline) => {
        this.connection = connection;
        const reads = paths.map(async path => this.readOne(connection, deadline, path, found));
        await Promise.all(reads);
      },
      repeatable: true,
      timeout,
    });
  }

  /** The next read of a node sets its watches anew. */
  forget(): void {
    this.known.clear();
  }

  end(): void {
    const { connection } = this;
    if (connection === undefined) return;
    const { dataWatchers, existenceWatchers, childWatchers } = connection.watcherManager;
    for (const [watchers, kind] of [
      [dataWatchers, watchKind.data],
      [existenceWatchers, watchKind.data],
      [childWatchers, watchKind.children],
    ] as const) {
      for (const [path, emitter] of Object.entries(watchers)) {
        if (!emitter.listeners('notification').some(listener => listener === this.watcher)) continue;
        emitter.removeListener('notification', this.watcher);
        if (emitter.listenerCount('notification') > 0) continue;
        delete watchers[path];
        // Gone with its connection, or fired already.
        connection.send(removeWatches(path, kind)).catch(() => undefined);
      }
    }
  }

  private async readOne(connection: Connection, deadline: number, path: string, found: Found): Promise<void> {
    const { watcherManager: watchers } = connection;
    watchers.registerDataWatcher(path, this.watcher);
    const listing = 'prefix' in this.options.range && this.known.get(path) !== true;
    if (listing) watchers.registerChildWatcher(path, this.watcher);
    // Sent together, so that the watches are set when the node is told.
    const [node, names] = await Promise.allSettled([
      connection.send(getData(path, true), deadline),
      listing ? connection.send(getChildren(path, true), deadline) : undefined,
    ]);
    if (node.status === 'rejected') {
      if (!isFault(node.reason, code.noNode)) throw node.reason;
      await this.absent(connection, deadline, path, found);
      return;
    }
    if (names.status === 'fulfilled' && names.value !== undefined) this.listed(path, names.value.value);
    else if (names.status === 'rejected') this.options.touched(path);
    found(path, node.value.value, node.value);
  }

  private listed(path: string, names: readonly string[]): void {
    this.known.set(path, true);
    for (const name of names) {
      const child = childOf(path, name);
      if (this.known.has(child)) continue;
      this.known.set(child, false);
      this.options.touched(child);
    }
  }

  /** Of what is not there only the coming can be watched; that is wanted of the topmost node alone. */
  private async absent(connection: Connection, deadline: number, path: string, found: Found): Promise<void> {
    const { watcherManager: watchers } = connection;
    drop(watchers.dataWatchers, path, this.watcher);
    drop(watchers.childWatchers, path, this.watcher);
    const isTop = this.known.size === 0 || !this.known.has(path);
    this.known.delete(path);
    if (isTop) watchers.registerExistenceWatcher(path, this.watcher);
    try {
      const answer = await connection.send(exists(path, isTop), deadline);
      drop(watchers.existenceWatchers, path, this.watcher);
      this.options.touched(path);
      found(path, code.noNode, answer);
    } catch (error) {
      if (!isFault(error, code.noNode)) throw error;
      found(path, code.noNode, { value: undefined, zxid: 0n, at: Infinity });
    }
  }

  private heard({ type, path }: StockEvent): void {
    if (type === happened.children) this.known.set(path, false);
    if (type === happened.deleted) this.known.delete(path);
    this.options.touched(path);
  }
}

function drop(watchers: Readonly<Record<string, NodeJS.EventEmitter>>, path: string, watcher: Watcher): void {
  watchers[path]?.removeListener('notification', watcher);
}
