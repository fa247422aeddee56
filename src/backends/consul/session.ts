/** Sessions: what keys are bound to, renewed while somebody is subscribed. */
import { from, merge, Observable, of, switchMap } from 'rxjs';
import type { Session } from '../../driver.js';
import { KvError } from '../../errors.js';
import { type Clock, keep$, Lease, momentOf, systemClock } from '../../lease.js';
import { maxSessionTtl } from './capabilities.js';
import type { Cluster } from './cluster.js';
import { backend } from './errors.js';
import { parsed } from './wire.js';

export interface SessionsOptions {
  readonly cluster: Cluster;
  /** ms: the shortest that a server grants */
  readonly least: number;
  /** ms for one round trip */
  readonly timeout: number;
  /** Told of what a teardown started. */
  readonly ending: (work: Promise<void>) => void;
}

export class Sessions {
  private readonly options: SessionsOptions;
  private readonly clock: Clock = systemClock;
  /** Settles with the session that was asked for last: they begin in the order of asking, as locks are granted. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(options: SessionsOptions) {
    this.options = options;
  }

  /** As {@link Driver.session$}. */
  session$(ttl: number): Observable<Session> {
    return new Observable<Session>(subscriber => {
      const granted = Math.min(ttl, maxSessionTtl);
      const sent = momentOf(this.clock);
      const making = this.inOrder(this.make(granted, this.options.timeout));
      subscriber.add(() => this.options.ending(this.release(making)));
      subscriber.add(
        from(making)
          .pipe(switchMap(id => this.live$(id, new Lease(granted, this.clock, sent))))
          .subscribe(subscriber),
      );
    });
  }

  /**
   * A new session, which deletes its keys when it ends.
   *
   * @param ttl  ms: it does not end before, and ends after twice as long, counted from its last renewal
   */
  async make(ttl: number, timeout: number): Promise<string> {
    const { cluster, least } = this.options;
    const body = JSON.stringify({
      TTL: `${Math.ceil(Math.min(maxSessionTtl, Math.max(least, ttl)))}ms`,
      Behavior: 'delete',
      // A number of 0 is taken for none, which is 15 s.
      LockDelay: '0s',
      // Not even that of the node: it would end a session before its ttl, and so before its owner knows.
      Checks: [],
      NodeChecks: [],
    });
    const request = { method: 'PUT', path: '/session/create', body: Buffer.from(body) } as const;
    // Repeatable: a session that nobody knows of has no keys, and lapses.
    const { ID } = parsed<{ readonly ID: string }>(await cluster.call(request, { repeatable: true, timeout }));
    return ID;
  }

  /** Ends it with its keys; false where that failed, and it lapses. */
  async end(id: string): Promise<boolean> {
    const { cluster, timeout } = this.options;
    try {
      await cluster.call({ method: 'PUT', path: `/session/destroy/${id}` }, { repeatable: true, timeout });
      return true;
    } catch {
      return false;
    }
  }

  private live$(id: string, lease: Lease): Observable<Session> {
    const session: Session = { id, ttl: lease.ttl, remaining: () => lease.remaining() };
    const kept$ = keep$({ lease, renew: () => this.renew(id), clock: this.clock });
    // One that took longer to begin than it lives is over before anybody could use it.
    return lease.remaining() > 0 ? merge(of(session), kept$) : kept$;
  }

  private async renew(id: string): Promise<void> {
    const { cluster, timeout } = this.options;
    const { status } = await cluster.call({ method: 'PUT', path: `/session/renew/${id}` }, { repeatable: true, timeout });
    if (status === 404) throw new KvError('session-lost', 'consul no longer has the session', { backend });
  }

  private inOrder(making: Promise<string>): Promise<string> {
    const before = this.last.catch(() => undefined);
    const turn = before.then(() => making);
    this.last = turn;
    // The one that waits for it may have failed already, and nobody else hears of it.
    making.catch(() => undefined);
    return turn;
  }

  /** What cannot be ended lapses. */
  private async release(making: Promise<string>): Promise<void> {
    const id = await making.catch(() => undefined);
    if (id !== undefined) await this.end(id);
  }
}
