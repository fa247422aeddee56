/**
 * Locks: a queue of numbered nodes as Curator's recipes know it, so that both stand in it together. Each contender watches
 * the one before it, and its own.
 */
import { randomUUID } from 'node:crypto';
import { Observable, type Subscriber } from 'rxjs';
import { delay } from '../../delay.js';
import type { Grant, Session } from '../../driver.js';
import { KvError } from '../../errors.js';
import type { Connection } from './connection.js';
import { backend, Fault, isFault, sessionEnded, translated } from './errors.js';
import { ancestorsOf, childOf, type Keyspace } from './keyspace.js';
import { multi } from './multi.js';
import type { Settings } from './options.js';
import type { SharedSession } from './shared-session.js';
import type { SharedSessions } from './shared-sessions.js';
import { code, watchKind } from './numbers.js';
import {
  type Created,
  createContainer,
  createSequential,
  deleteNode,
  getChildren,
  getData,
  type Node,
  removeWatches,
  sync,
} from './wire.js';

export interface LocksOptions {
  readonly keyspace: Keyspace;
  readonly shared: SharedSessions;
  readonly settings: Settings;
  /** ms for one round trip */
  readonly timeout: number;
  /** Told of what a teardown started. */
  readonly ending: (work: Promise<void>) => void;
}

export class Locks {
  private readonly options: LocksOptions;

  constructor(options: LocksOptions) {
    this.options = options;
  }

  /** As {@link Driver.acquire$}. */
  acquire$(session: Session, directory: string, value: Uint8Array<ArrayBuffer>, behind?: () => void): Observable<Grant> {
    return new Observable<Grant>(subscriber => {
      const { shared, ending } = this.options;
      let contender: Contender;
      try {
        contender = new Contender(this.options, { session, shared: shared.of(session), directory, value, behind }, subscriber);
      } catch (error) {
        subscriber.error(error);
        return undefined;
      }
      contender.contend().catch((error: unknown) => subscriber.error(translated(error)));
      return () => ending(contender.withdraw());
    });
  }
}

interface Place {
  readonly session: Session;
  readonly shared: SharedSession;
  /** The lock's directory, as a key. */
  readonly directory: string;
  readonly value: Uint8Array<ArrayBuffer>;
  readonly behind: (() => void) | undefined;
}

/** ms between tries of what a cut prevents, while the session stands. */
const pause = 50;

class Contender {
  private readonly options: LocksOptions;
  private readonly place: Place;
  private readonly subscriber: Subscriber<Grant>;
  private readonly path: string;
  /** Curator's recipe finds by it the node whose creation was never answered. */
  private readonly prefix: string = `_c_${randomUUID()}-lock-`;
  private readonly entering: Promise<Created>;
  private readonly watched: Set<string> = new Set();
  private holds = false;
  private wake: (() => void) | undefined;
  private woken = false;

  constructor(options: LocksOptions, place: Place, subscriber: Subscriber<Grant>) {
    this.options = options;
    this.place = place;
    this.subscriber = subscriber;
    this.path = options.keyspace.path(place.directory);
    this.entering = this.enter();
  }

  /** Stands in the queue until it is left or lost. @throws KvError */
  async contend(): Promise<void> {
    const mine = await this.entering;
    while (!this.subscriber.closed) {
      const before = await this.before(mine);
      if (before === undefined) {
        if (!this.holds) this.grant(mine);
        await this.befalls(mine.path);
      } else {
        this.place.behind?.();
        await this.befalls(mine.path, before);
      }
    }
  }

  /** Leaves the queue, however entering went: a node whose creation was never answered may be there. */
  async withdraw(): Promise<void> {
    this.notify();
    this.unwatch();
    const { shared } = this.place;
    const mine = await this.entering.catch(() => undefined);
    if (mine === undefined) return;
    // What belongs to the session goes with it; until then this is for those who wait behind.
    while (!shared.isLost) {
      try {
        await this.call(connection => connection.send(deleteNode(mine.path)));
        return;
      } catch (error) {
        if (isFault(error, code.noNode)) return;
        await delay(pause);
      }
    }
  }

  private grant({ path, stat }: Created): void {
    this.holds = true;
    const { session, directory } = this.place;
    this.subscriber.next({ key: `${directory}/${path.slice(this.path.length + 1)}`, fence: stat.czxid, session });
  }

  private async enter(): Promise<Created> {
    const { value, shared } = this.place;
    const { acl } = this.options.settings;
    for (;;) {
      try {
        const { value: created } = await shared.call({
          send: (connection, deadline) => connection.send(createSequential(`${this.path}/${this.prefix}`, value, acl), deadline),
          repeatable: false,
          timeout: this.options.timeout,
        });
        return created;
      } catch (error) {
        if (isFault(error, code.noNode)) await this.makeQueue();
        else if (KvError.is(error) && error.transient && !shared.isLost) {
          const found = error.outcome === 'unknown' ? await this.find() : undefined;
          if (found !== undefined) return found;
        } else throw error;
      }
    }
  }

  /** Our own node, whose creation was not answered. */
  private async find(): Promise<Created | undefined> {
    const { shared } = this.place;
    for (;;) {
      if (shared.isLost) throw sessionEnded();
      try {
        const name = (await this.names()).find(candidate => candidate.startsWith(this.prefix));
        if (name === undefined) return undefined;
        const path = childOf(this.path, name);
        const { value: node } = await this.call(connection => connection.send(getData(path)));
        return { path, stat: node.stat };
      } catch (error) {
        if (isFault(error, code.noNode)) return undefined;
        if (!translated(error).transient) throw error;
        await delay(pause);
      }
    }
  }

  private async makeQueue(): Promise<void> {
    const { acl } = this.options.settings;
    for (const directory of ancestorsOf(this.path).reverse()) {
      const made = await this.call(connection => connection.send(multi([{ create: directory, data: undefined }], acl)));
      if (!made.value.ok && made.value.code !== code.nodeExists) throw translated(new Fault(made.value.code));
    }
    try {
      // The server removes it some time after the last contender.
      await this.call(connection => connection.send(createContainer(this.path, acl)));
    } catch (error) {
      if (!isFault(error, code.nodeExists)) throw error;
    }
  }

  /** The node that stands before ours; undefined where none does. @throws KvError where ours has gone */
  private async before(mine: Created): Promise<string | undefined> {
    const names = (await this.names()).filter(name => /\d{10}$/.test(name)).sort((a, b) => numberOf(a) - numberOf(b));
    const at = names.indexOf(mine.path.slice(this.path.length + 1));
    if (at === -1) throw this.gone();
    const before = names[at - 1];
    return before === undefined ? undefined : childOf(this.path, before);
  }

  private async names(): Promise<string[]> {
    const { value } = await this.call(async connection => {
      // What was created may not have come to this server yet.
      connection.send(sync(this.path)).catch(() => undefined);
      return connection.send(getChildren(this.path));
    });
    return value;
  }

  /** Resolves when something happens to one of the nodes, or may have. @throws KvError where ours, the first, has gone */
  private async befalls(mine: string, other?: string): Promise<void> {
    const happened = new Promise<void>(resolve => {
      this.wake = resolve;
    });
    if (this.woken) this.notify();
    const own = await this.look(mine);
    if (own === undefined) throw this.gone();
    // One that has gone in the meantime makes us look again.
    if (other !== undefined && (await this.look(other)) === undefined) return;
    await happened;
  }

  private async look(path: string): Promise<Node | undefined> {
    try {
      const { value } = await this.call(connection => {
        connection.watcherManager.registerDataWatcher(path, this.watcher);
        this.watched.add(path);
        return connection.send(getData(path, true));
      });
      return value;
    } catch (error) {
      if (isFault(error, code.noNode)) return undefined;
      throw error;
    }
  }

  private readonly watcher = (): void => this.notify();

  /** Watches of those before us, who may be there for long. */
  private unwatch(): void {
    const { connection } = this.place.shared;
    const { dataWatchers = {} } = connection?.watcherManager ?? {};
    for (const path of this.watched) {
      const emitter = dataWatchers[path];
      emitter?.removeListener('notification', this.watcher);
      if (emitter === undefined || emitter.listenerCount('notification') > 0) continue;
      delete dataWatchers[path];
      // Fired by now, or gone with the session.
      connection?.send(removeWatches(path, watchKind.data)).catch(() => undefined);
    }
  }

  private notify(): void {
    this.woken = this.wake === undefined;
    this.wake?.();
    this.wake = undefined;
  }

  /** While the session stands a cut is no loss; the session itself tells when it does not. */
  private async call<T>(send: (connection: Connection) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await this.place.shared.call({ send, repeatable: true, timeout: this.options.timeout });
      } catch (error) {
        const known = translated(error);
        if (!known.transient || this.place.shared.isLost) throw error;
        await delay(pause);
      }
    }
  }

  private gone(): KvError {
    return this.holds
      ? new KvError('lock-lost', 'the record of the lock was removed', { backend })
      : new KvError('session-lost', 'the record in the queue of the lock was removed', { backend });
  }
}

/** The number that the server gave: names differ in what stands before it. */
function numberOf(name: string): number {
  return Number(name.slice(-10));
}
