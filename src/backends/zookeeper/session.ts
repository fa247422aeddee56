/** Sessions: shares of ZooKeeper's, each with a name and keys of its own. */
import { Observable } from 'rxjs';
import type { Session } from '../../driver.js';
import type { Lease } from '../../lease.js';
import { type Extent, Turns } from '../../turns.js';
import { translated } from './errors.js';
import type { Expiries } from './expiry.js';
import type { Share, SharedSessions } from './shared-sessions.js';

export interface SessionsOptions {
  readonly shared: SharedSessions;
  readonly expiries: Expiries;
  /** Told of what a teardown started. */
  readonly ending: (work: Promise<void>) => void;
}

/** They begin one after the other, in the order of asking, as locks are granted. */
const one: Extent = { keys: ['session'], prefixes: [] };

export class Sessions {
  private readonly options: SessionsOptions;
  private count = 0;
  private readonly turns: Turns = new Turns();

  constructor(options: SessionsOptions) {
    this.options = options;
  }

  /** As {@link Driver.session$}. */
  session$(ttl: number): Observable<Session> {
    return new Observable<Session>(subscriber => {
      const { shared, ending } = this.options;
      const share = shared.enter(ttl);
      let end = share.leave;
      subscriber.add(() => end());
      subscriber.add(share.shared.whenLost(error => subscriber.error(error)));
      this.turns
        .take(one, () => share.shared.live())
        .then(
          lease => {
            if (subscriber.closed) return;
            const session = this.sessionOf(share, lease);
            const forget = shared.name(session.id, share.shared);
            const release = share.shared.hold();
            end = () => {
              release();
              ending(this.end(share, forget()));
            };
            subscriber.next(session);
          },
          (error: unknown) => subscriber.error(translated(error)),
        );
    });
  }

  private sessionOf({ shared }: Share, lease: Lease): Session {
    const number = BigInt.asUintN(64, shared.owner).toString(16);
    return { id: `${number}-${++this.count}`, ttl: lease.ttl, remaining: () => lease.remaining() };
  }

  private async end({ leave }: Share, keys: ReadonlyMap<string, bigint>): Promise<void> {
    const { expiries } = this.options;
    // What is out of reach lapses.
    await Promise.allSettled([...keys].map(async ([key, created]) => expiries.remove(key, created)));
    leave();
  }
}
