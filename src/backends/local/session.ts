/** Sessions: rows that are renewed while somebody is subscribed, and take the keys bound to them along. */
import { merge, Observable, of, type Subscriber, switchMap } from 'rxjs';
import type { Session } from '../../driver.js';
import { KvError } from '../../errors.js';
import { type Clock, keep$, Lease, type Moment, momentOf } from '../../lease.js';
import type { Draft, Step } from './draft.js';
import { alive, graceOf } from './row.js';
import type { Table } from './table.js';

const longestTimer = 2 ** 31 - 1;

export interface SessionsOptions {
  readonly table: Table;
  /** Sends a step to the table as the calls of users are sent. */
  readonly send: <R>(step: Step<R>) => Promise<R>;
  /** Told of what a teardown started. */
  readonly ending: (work: Promise<void>) => void;
}

export class Sessions {
  private readonly table: Table;
  private readonly send: SessionsOptions['send'];
  private readonly ending: SessionsOptions['ending'];
  private readonly clock: Clock;
  private readonly held: Set<Subscriber<Session>> = new Set();

  constructor({ table, send, ending }: SessionsOptions) {
    this.table = table;
    this.send = send;
    this.ending = ending;
    this.clock = { monotonic: () => table.monotonic(), wall: () => table.wall() };
  }

  /** As {@link Driver.session$}, on an open table. */
  session$(ttl: number): Observable<Session> {
    return new Observable<Session>(subscriber => {
      const id = randomId();
      const sent = momentOf(this.clock);
      const begun = this.send(begin(id, ttl, sent, this.table.boot));
      this.held.add(subscriber);
      subscriber.add(() => {
        this.held.delete(subscriber);
        this.ending(this.end(begun, id));
      });
      subscriber.add(this.live$(begun, id, new Lease(ttl, this.clock, sent)).subscribe(subscriber));
    });
  }

  /** Ends all sessions; their holders are told `error`. */
  fail(error: KvError): void {
    for (const subscriber of [...this.held]) subscriber.error(error);
  }

  private live$(begun: Promise<void>, id: string, lease: Lease): Observable<Session> {
    const session: Session = { id, ttl: lease.ttl, remaining: () => lease.remaining() };
    const renew = (): Promise<void> => this.send(renewal(id, momentOf(this.clock)));
    // A third of a very long ttl is more than a timer can count.
    const every = Math.min(lease.ttl / 3, longestTimer);
    return new Observable<Session>(subscriber => {
      begun.then(
        () => subscriber.next(session),
        (error: unknown) => subscriber.error(error),
      );
    }).pipe(
      switchMap(begunSession => {
        const kept$ = keep$({ lease, renew, clock: this.clock, every });
        // One that took longer to begin than it lives is over before anybody could use it.
        return lease.remaining() > 0 ? merge(of(begunSession), kept$) : kept$;
      }),
    );
  }

  /** Also while the first write is under way, or after one whose answer never came: it may have been applied. */
  private async end(begun: Promise<void>, id: string): Promise<void> {
    await begun.catch(() => {});
    // What cannot be ended lapses.
    await this.send(ending(id)).catch(() => {});
  }
}

function begin(id: string, ttl: number, sent: Moment, boot: string): Step<void> {
  return draft => draft.putSession({ id, ttl, deadline: sent.monotonic + ttl + graceOf(ttl), boot });
}

function renewal(id: string, sent: Moment): Step<void> {
  return draft => {
    const session = draft.session(id);
    if (session === undefined || !alive(session, draft.at)) throw new KvError('session-lost', 'the session has ended');
    const deadline = sent.monotonic + session.ttl + graceOf(session.ttl);
    if (deadline > session.deadline) draft.putSession({ ...session, deadline });
  };
}

/** Ends a session with the keys that are still its own. */
export function ending(id: string): Step<void> {
  return (draft: Draft) => {
    if (draft.session(id) === undefined) return;
    for (const row of draft.owned(id)) draft.delete(row);
    draft.endSession(id);
  };
}

function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), byte => byte.toString(16).padStart(2, '0')).join('');
}
