/** A lock's queue: a directory of nodes that the server numbers, each of the session whose contender stands there. */
import { Fault, isFault, sessionEnded, translated } from './errors.js';
import { ancestorsOf, childOf } from './keyspace.js';
import { multi } from './multi.js';
import { code } from './numbers.js';
import type { SharedSession } from './shared-session.js';
import { type Access, type Created, createContainer, createSequential, deleteNode, getChildren, getData, sync } from './wire.js';

export interface LockQueueOptions {
  /** The session of the contender. */
  readonly shared: SharedSession;
  readonly acl: readonly Access[];
  /** ms for one round trip */
  readonly timeout: number;
}

/** Where a contender stands. */
export interface Place {
  /** The node before its own; undefined: it holds. */
  readonly before: string | undefined;
}

export class LockQueue {
  private readonly path: string;
  private readonly options: LockQueueOptions;

  /** @param path  of the directory's node, which need not be there */
  constructor(path: string, options: LockQueueOptions) {
    this.path = path;
    this.options = options;
  }

  /**
   * A node at the end, whose name begins with the prefix.
   *
   * @throws KvError with `outcome: 'unknown'` where it may be there: see {@link find}; Fault where there is no queue
   */
  async add(prefix: string, value: Uint8Array): Promise<Created> {
    const { shared, acl, timeout } = this.options;
    const { value: created } = await shared.call({
      send: (connection, deadline) => connection.send(createSequential(`${this.path}/${prefix}`, value, acl), deadline),
      repeatable: false,
      timeout,
    });
    return created;
  }

  /** The node whose name begins with the prefix. @throws KvError `session-lost` */
  async find(prefix: string): Promise<Created | undefined> {
    const { shared } = this.options;
    try {
      const name = (await this.names()).find(candidate => candidate.startsWith(prefix));
      if (name === undefined) return undefined;
      const path = childOf(this.path, name);
      const { value: node } = await shared.insist(connection => connection.send(getData(path)));
      return { path, stat: node.stat };
    } catch (error) {
      if (isFault(error, code.noNode)) return undefined;
      throw shared.isLost ? sessionEnded() : error;
    }
  }

  /** Makes the directory, where it is not there. */
  async make(): Promise<void> {
    const { shared, acl } = this.options;
    for (const directory of ancestorsOf(this.path).reverse()) {
      const { value: made } = await shared.insist(connection => connection.send(multi([{ create: directory, data: undefined }], acl)));
      if (!made.ok && made.code !== code.nodeExists) throw translated(new Fault(made.code));
    }
    try {
      // The server removes it some time after the last contender.
      await shared.insist(connection => connection.send(createContainer(this.path, acl)));
    } catch (error) {
      if (!isFault(error, code.nodeExists)) throw error;
    }
  }

  /** Where a node stands: right behind which one, if any; undefined where it is not there. */
  async place(path: string): Promise<Place | undefined> {
    const names = (await this.names()).filter(name => /\d{10}$/.test(name)).sort((a, b) => numberOf(a) - numberOf(b));
    const at = names.indexOf(this.nameOf(path));
    if (at === -1) return undefined;
    const before = names[at - 1];
    return { before: before === undefined ? undefined : childOf(this.path, before) };
  }

  async remove(path: string): Promise<void> {
    await this.options.shared.insist(connection => connection.send(deleteNode(path)));
  }

  nameOf(path: string): string {
    return path.slice(this.path.length + 1);
  }

  /** Of all who stand in it: nobody in one that is gone, as the server removes one that is empty. */
  private async names(): Promise<string[]> {
    try {
      const { value } = await this.options.shared.insist(async connection => {
        // What was created may not have come to this server yet.
        connection.send(sync(this.path)).catch(() => undefined);
        return connection.send(getChildren(this.path));
      });
      return value;
    } catch (error) {
      if (isFault(error, code.noNode)) return [];
      throw error;
    }
  }
}

/** The number that the server gave: names differ in what stands before it. */
function numberOf(name: string): number {
  return Number(name.slice(-10));
}
