/** A vigil: a wait until something befalls one of a few nodes, by the watches of one session. */
import { isFault } from './errors.js';
import { code, watchKind } from './numbers.js';
import type { SharedSession } from './shared-session.js';
import { getData, removeWatches } from './wire.js';

export class Vigil {
  private readonly shared: SharedSession;
  private readonly watched: Set<string> = new Set();
  private wake: (() => void) | undefined;
  private woken = false;

  constructor(shared: SharedSession) {
    this.shared = shared;
  }

  /**
   * Resolves when something happens to one of the nodes, or may have, as where the other is not there; whether the first
   * one was there when it began.
   */
  async keep(first: string, other?: string): Promise<boolean> {
    const happened = new Promise<void>(resolve => {
      this.wake = resolve;
    });
    if (this.woken) this.notify();
    if (!(await this.look(first))) return false;
    if (other !== undefined && !(await this.look(other))) return true;
    await happened;
    return true;
  }

  /** Ends it, and removes watches, which may be of nodes that are there for long. */
  end(): void {
    this.notify();
    const { connection } = this.shared;
    const { dataWatchers = {} } = connection?.watcherManager ?? {};
    for (const path of this.watched) {
      const emitter = dataWatchers[path];
      emitter?.removeListener('notification', this.notify);
      if (emitter === undefined || emitter.listenerCount('notification') > 0) continue;
      delete dataWatchers[path];
      // Fired by now, or gone with the session.
      connection?.send(removeWatches(path, watchKind.data)).catch(() => undefined);
    }
  }

  /** Whether a node is there; then it is watched from now on. */
  private async look(path: string): Promise<boolean> {
    try {
      await this.shared.insist(connection => {
        connection.watcherManager.registerDataWatcher(path, this.notify);
        this.watched.add(path);
        return connection.send(getData(path, true));
      });
      return true;
    } catch (error) {
      if (isFault(error, code.noNode)) return false;
      throw error;
    }
  }

  private readonly notify = (): void => {
    this.woken = this.wake === undefined;
    this.wake?.();
    this.wake = undefined;
  };
}
