/**
 * Per node: what a feed does on a server that has no persistent watches. Every node has a watch of its value and one of
 * the names in it, each good for one event and set again with the next read.
 */
import type { Cluster } from './cluster.js';
import type { Connection } from './connection.js';
import { Fault } from './errors.js';
import { childOf, parentOf } from './keyspace.js';
import { code, happened, watchKind } from './numbers.js';
import { type Answer, exists, getChildren, getData, type Node, removeWatches } from './wire.js';

export interface PerNodeOptions {
  readonly cluster: Cluster;
  /** ms for one round trip */
  readonly timeout: number;
  /** The topmost node, and whether those below it are wanted, too. */
  readonly top: string;
  readonly recursive: boolean;
  /** How many look at each node: a session has one watch of it for all. */
  readonly interest: Map<string, number>;
  /** Told of each node that is to be read. */
  readonly touched: (path: string) => void;
}

type Found = (path: string, node: Node | number, answer: Answer<unknown>) => void;

export class PerNode {
  private readonly options: PerNodeOptions;
  /** Nodes that are watched, and whether the names in them are. */
  private readonly known: Map<string, boolean> = new Map();
  /** The place of the last message that said that the names in a node have changed. */
  private readonly changed: Map<string, number> = new Map();

  constructor(options: PerNodeOptions) {
    this.options = options;
  }

  /** Reads nodes, each with a watch of it, and tells of those in it that were not known. */
  async read(paths: readonly string[], found: Found): Promise<void> {
    const { cluster, timeout } = this.options;
    await cluster.call({
      send: async (connection, deadline) => {
        await Promise.all(paths.map(async path => this.readOne(connection, deadline, path, found)));
      },
      repeatable: true,
      timeout,
    });
  }

  /** Takes note of an event; whether the node is one of those that are watched. */
  heard(path: string, what: number, at: number): boolean {
    if (!this.known.has(path)) return false;
    if (what === happened.children) {
      this.known.set(path, false);
      this.changed.set(path, at);
    }
    return true;
  }

  /** On a new connection there are no watches: the next reads set all of them again. */
  forget(): void {
    for (const path of [...this.known.keys()]) this.leave(path);
  }

  end(): void {
    const { cluster, interest, timeout } = this.options;
    const paths = [...this.known.keys()];
    this.forget();
    const left = paths.filter(path => !interest.has(path));
    if (left.length === 0) return;
    const send = async (connection: Connection, deadline: number): Promise<void> => {
      // Some have fired, and are not there any more.
      await Promise.allSettled(left.map(path => connection.send(removeWatches(path, watchKind.any), deadline)));
    };
    cluster.call({ send, repeatable: true, timeout }).catch(() => undefined);
  }

  private enter(path: string): void {
    const { interest } = this.options;
    if (this.known.has(path)) return;
    this.known.set(path, false);
    interest.set(path, (interest.get(path) ?? 0) + 1);
  }

  private leave(path: string): void {
    const { interest } = this.options;
    if (!this.known.delete(path)) return;
    this.changed.delete(path);
    const left = (interest.get(path) ?? 1) - 1;
    if (left === 0) interest.delete(path);
    else interest.set(path, left);
  }

  private async readOne(connection: Connection, deadline: number, path: string, found: Found): Promise<void> {
    this.enter(path);
    const listing = this.options.recursive && this.known.get(path) !== true;
    // Sent together, so that the watches are set when the node is told.
    const [node, names] = await Promise.allSettled([
      connection.send(getData(path, true), deadline),
      listing ? connection.send(getChildren(path, true), deadline) : undefined,
    ]);
    if (names.status === 'fulfilled' && names.value !== undefined) this.listed(path, names.value);
    if (node.status === 'fulfilled') {
      found(path, node.value.value, node.value);
      // The names have changed since they were read, or since it was known that they had not.
      if (this.options.recursive && this.known.get(path) === false) this.options.touched(path);
      return;
    }
    if (!(node.reason instanceof Fault) || node.reason.code !== code.noNode) throw node.reason;
    if (path === this.options.top) await this.awaited(connection, deadline, path, found);
    else this.gone(path, node.reason, found);
  }

  private listed(path: string, { value: names, at }: Answer<readonly string[]>): void {
    this.known.set(path, (this.changed.get(path) ?? -1) < at);
    for (const name of names) {
      const child = childOf(path, name);
      if (!this.known.has(child)) this.options.touched(child);
    }
  }

  private gone(path: string, { zxid, at }: Fault, found: Found): void {
    this.leave(path);
    // It may have been made again when the names above it were read, and was known then.
    const parent = parentOf(path);
    if (this.known.get(parent) === true) {
      this.known.set(parent, false);
      this.options.touched(parent);
    }
    found(path, code.noNode, { value: undefined, zxid, at });
  }

  /** Of what is not there only the coming can be watched. */
  private async awaited(connection: Connection, deadline: number, path: string, found: Found): Promise<void> {
    this.known.set(path, false);
    try {
      await connection.send(exists(path, true), deadline);
      // It has come in the meantime.
      this.options.touched(path);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== code.noNode) throw error;
      found(path, code.noNode, { value: undefined, zxid: error.zxid, at: error.at });
    }
  }
}
