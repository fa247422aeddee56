/**
 * Locks: a queue of numbered nodes as Curator's recipes know it, so that both stand in it together. Each contender watches
 * the one before it, and its own.
 */
import { Observable } from 'rxjs';
import type { Grant, Session } from '../../driver.js';
import { Contender } from './contender.js';
import { translated } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { LockQueue } from './lock-queue.js';
import type { Settings } from './options.js';
import type { SharedSessions } from './shared-sessions.js';

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
      const { keyspace, settings, timeout, ending } = this.options;
      const shared = this.options.shared.of(session);
      const queue = new LockQueue(keyspace.path(directory), { shared, acl: settings.acl, timeout });
      const contender = new Contender({ session, shared, queue, directory, value, behind }, subscriber);
      contender.contend().catch((error: unknown) => subscriber.error(translated(error)));
      return () => ending(contender.withdraw());
    });
  }
}
