/** A contender: a record in the queue of a lock, bound to the session of who asks for it. */
import { type Observable, throwError, timer } from 'rxjs';
import type { Driver, Session } from './driver.js';
import type { Entry } from './entry.js';
import { KvError } from './errors.js';

export interface ContendersOptions {
  readonly commit: Driver['commit'];
  /** ms for one round trip */
  readonly timeout: number;
}

/** Enters contenders, and takes them out of the queue again. */
export class Contenders {
  private readonly options: ContendersOptions;
  private count = 0;

  constructor(options: ContendersOptions) {
    this.options = options;
  }

  /** Unique for each subscription, or a second lock$ of one session would hold together with the first. */
  key(directory: string, session: Session): string {
    return `${directory}/${session.id}-${++this.count}`;
  }

  /** What was written, whose `created` is the place in the queue and the fence. */
  async enter(key: string, value: Uint8Array<ArrayBuffer>, session: Session): Promise<Entry> {
    const { commit, timeout } = this.options;
    const outcome = await commit({ checks: [{ key, entry: undefined }], ops: [{ put: key, value, session }] }, { timeout });
    const entry = outcome.ok ? outcome.results[0]?.entry : undefined;
    if (entry === undefined) throw new KvError('internal', 'a contender met its own record');
    return entry;
  }

  /** Deletes the record however entering went: a write whose answer never came may have been applied. */
  async withdraw(entered: Promise<Entry>, key: string): Promise<void> {
    const { commit, timeout } = this.options;
    await entered.catch(() => {});
    // The session ends as well and takes the record with it; this is for those who wait behind us.
    await commit({ checks: [], ops: [{ delete: key }] }, { timeout }).catch(() => {});
  }
}

/** What a contender is told whose record is gone. */
export function recordGone(held: boolean): KvError {
  return held
    ? new KvError('lock-lost', 'the record of the lock was removed')
    : new KvError('session-lost', 'the record in the queue of the lock was removed');
}

/** For retry(): a cut is no loss while the session stands, and the session tells when it does not, so go on trying. */
export function untilSessionEnds(error: unknown, attempt: number): Observable<number> {
  if (KvError.is(error) && error.transient) return timer(Math.min(1000, 25 * 2 ** attempt));
  return throwError(() => error);
}
