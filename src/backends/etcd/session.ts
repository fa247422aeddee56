/** Sessions: leases of etcd that are renewed while somebody is subscribed, all of a store's on one stream. */
import { from, merge, Observable, of, switchMap } from 'rxjs';
import type { Session } from '../../driver.js';
import { KvError } from '../../errors.js';
import { type Clock, keep$, Lease, momentOf, systemClock } from '../../lease.js';
import type { Cluster } from './cluster.js';
import { backend } from './errors.js';
import { Renewals } from './renewals.js';

export interface SessionsOptions {
  readonly cluster: Cluster;
  /** ms for one round trip */
  readonly timeout: number;
  /** Told of what a teardown started. */
  readonly ending: (work: Promise<void>) => void;
}

interface Granted {
  /** As etcd's calls take it. */
  readonly number: string;
  /** ms */
  readonly ttl: number;
}

export class Sessions {
  private readonly options: SessionsOptions;
  private readonly renewals: Renewals;
  private readonly clock: Clock = systemClock;
  /** Settles with the session that was asked for last: they begin in the order of asking, as locks are granted. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(options: SessionsOptions) {
    this.options = options;
    this.renewals = new Renewals(options.cluster);
  }

  /** As {@link Driver.session$}. */
  session$(ttl: number): Observable<Session> {
    return new Observable<Session>(subscriber => {
      const sent = momentOf(this.clock);
      const granting = this.inOrder(this.grant(ttl));
      subscriber.add(() => this.options.ending(this.end(granting)));
      subscriber.add(
        from(granting)
          .pipe(switchMap(({ number, ttl: granted }) => this.live$(number, new Lease(granted, this.clock, sent))))
          .subscribe(subscriber),
      );
    });
  }

  close(): void {
    this.renewals.close();
  }

  private live$(number: string, lease: Lease): Observable<Session> {
    const session: Session = { id: BigInt(number).toString(16), ttl: lease.ttl, remaining: () => lease.remaining() };
    const kept$ = keep$({ lease, renew: () => this.renewals.renew(number), clock: this.clock });
    const held$ = new Observable<never>(() => this.renewals.enter());
    // One that took longer to begin than it lives is over before anybody could use it.
    return lease.remaining() > 0 ? merge(of(session), held$, kept$) : kept$;
  }

  private inOrder(granting: Promise<Granted>): Promise<Granted> {
    const before = this.last.catch(() => undefined);
    const turn = before.then(() => granting);
    this.last = turn;
    // The one that waits for it may have failed already, and nobody else hears of it.
    granting.catch(() => undefined);
    return turn;
  }

  private async grant(ttl: number): Promise<Granted> {
    const { cluster, timeout } = this.options;
    const seconds = Math.ceil(ttl / 1000);
    // Repeatable: a lease that nobody knows of has no keys, and lapses.
    const { ID, TTL } = await cluster.call({ send: (client, sending) => client.grant(seconds, sending), repeatable: true, timeout });
    if (ID === '0') throw new KvError('internal', 'etcd granted a lease without a name', { backend });
    return { number: ID, ttl: Number(TTL) * 1000 };
  }

  /** What cannot be ended lapses. */
  private async end(granting: Promise<Granted>): Promise<void> {
    const { cluster, timeout } = this.options;
    try {
      const { number } = await granting;
      await cluster.call({ send: (client, sending) => client.revoke(number, sending), repeatable: true, timeout });
    } catch {
      // Gone already, or out of reach.
    }
  }
}
