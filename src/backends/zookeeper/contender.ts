/** A contender: one who wants a lock, from its node in the queue to its release. */
import { randomUUID } from 'node:crypto';
import type { Subscriber } from 'rxjs';
import { delay } from '../../delay.js';
import type { Grant, Session } from '../../driver.js';
import { KvError } from '../../errors.js';
import { backend, isFault } from './errors.js';
import type { LockQueue } from './lock-queue.js';
import { code } from './numbers.js';
import { again, type SharedSession } from './shared-session.js';
import { Vigil } from './vigil.js';
import type { Created } from './wire.js';

export interface ContenderOptions {
  readonly session: Session;
  /** What its node belongs to. */
  readonly shared: SharedSession;
  readonly queue: LockQueue;
  /** The lock's directory, as a key. */
  readonly directory: string;
  readonly value: Uint8Array<ArrayBuffer>;
  /** Told each time that others are before it. */
  readonly behind: (() => void) | undefined;
}

export class Contender {
  private readonly options: ContenderOptions;
  private readonly subscriber: Subscriber<Grant>;
  /** Curator's recipe finds by it the node whose creation was never answered. */
  private readonly prefix: string = `_c_${randomUUID()}-lock-`;
  private readonly vigil: Vigil;
  private readonly entering: Promise<Created>;
  private holds = false;

  /** Enters the queue at once. @param subscriber  told of the grant */
  constructor(options: ContenderOptions, subscriber: Subscriber<Grant>) {
    this.options = options;
    this.subscriber = subscriber;
    this.vigil = new Vigil(options.shared);
    this.entering = this.enter();
  }

  /** Stands in the queue until it is left or lost. @throws KvError */
  async contend(): Promise<void> {
    const { queue, behind } = this.options;
    const mine = await this.entering;
    while (!this.subscriber.closed) {
      const place = await queue.place(mine.path);
      if (place === undefined) throw this.gone();
      if (place.before !== undefined) behind?.();
      else if (!this.holds) this.grant(mine);
      if (!(await this.vigil.keep(mine.path, place.before))) throw this.gone();
    }
  }

  /** Leaves the queue, however entering went: a node whose creation was never answered may be there. */
  async withdraw(): Promise<void> {
    const { shared, queue } = this.options;
    this.vigil.end();
    const mine = await this.entering.catch(() => undefined);
    if (mine === undefined) return;
    // What belongs to the session goes with it; until then this is for those who wait behind.
    while (!shared.isLost) {
      try {
        await queue.remove(mine.path);
        return;
      } catch (error) {
        if (isFault(error, code.noNode)) return;
        await delay(again);
      }
    }
  }

  private grant({ path, stat }: Created): void {
    const { session, queue, directory } = this.options;
    this.holds = true;
    this.subscriber.next({ key: `${directory}/${queue.nameOf(path)}`, fence: stat.czxid, session });
  }

  private async enter(): Promise<Created> {
    const { shared, queue, value } = this.options;
    for (;;) {
      try {
        return await queue.add(this.prefix, value);
      } catch (error) {
        if (isFault(error, code.noNode)) await queue.make();
        else if (KvError.is(error) && error.transient && !shared.isLost) {
          const found = error.outcome === 'unknown' ? await queue.find(this.prefix) : undefined;
          if (found !== undefined) return found;
        } else throw error;
      }
    }
  }

  private gone(): KvError {
    return this.holds
      ? new KvError('lock-lost', 'the record of the lock was removed', { backend })
      : new KvError('session-lost', 'the record in the queue of the lock was removed', { backend });
  }
}
