/**
 * Expiries: keys that go before the session of the server's that they belong to, which is longer than their ttl, or has
 * other users.
 */
import type { Listing, Outcome } from '../../driver.js';
import type { Get, Write } from '../../networked.js';
import type { SharedSession } from './shared-session.js';

export interface ExpiriesOptions {
  readonly get: (get: Get) => Promise<Listing>;
  readonly commit: (write: Write) => Promise<Outcome>;
  /** ms for one round trip */
  readonly timeout: number;
}

type Users = Pick<SharedSession, 'enter' | 'whenLost'>;

export class Expiries {
  private readonly options: ExpiriesOptions;

  constructor(options: ExpiriesOptions) {
    this.options = options;
  }

  /** The key that was created then goes when the ttl (ms) is over. */
  set(key: string, created: bigint, { shared, ttl }: { readonly shared: Users; readonly ttl: number }): void {
    const leave = shared.enter();
    const end = (): void => {
      clearTimeout(due);
      forget();
      leave();
    };
    const due = setTimeout(() => {
      this.remove(key, created)
        // Out of reach: it goes with the session.
        .catch(() => undefined)
        .finally(end);
    }, ttl);
    // An idle store keeps no process alive.
    due.unref();
    let forget = (): void => undefined;
    forget = shared.whenLost(end);
  }

  /** Deletes a key if it still is the node that was created then: whoever makes it another's, or permanent, creates it anew. */
  async remove(key: string, created: bigint): Promise<void> {
    const { get, commit, timeout } = this.options;
    for (;;) {
      const { entries } = await get({ key, values: true, timeout, abandoned: false });
      const [entry] = entries;
      if (entry?.created !== created) return;
      const { ok } = await commit({ checks: [{ key, entry }], ops: [{ delete: key }], timeout, abandoned: false });
      if (ok) return;
    }
  }
}
