/** A key of the store model that somebody keeps alive. */
import type { Subscription } from 'rxjs';
import { expect } from 'vitest';
import type { Entry } from '../../src/entry.js';
import { KvError } from '../../src/errors.js';
import type { Store } from '../../src/interface.js';

/** ms; longer than any run, so that no session ends for want of a renewal. */
const ttl = 600_000;

export class KeptAlive {
  /** Absolute. */
  readonly key: string;
  /** Which of the stores. */
  readonly of: number;
  /** Whether the key is gone or somebody else's by now. */
  doomed = false;
  private readonly entries: Entry[] = [];
  private readonly subscription: Subscription;
  private error: unknown;

  constructor(store: Store, key: string, value: string, base: string, of: number) {
    this.key = base + key;
    this.of = of;
    this.subscription = store.keepAlive$(key, value, { ttl }).subscribe({
      next: entry => this.entries.push(entry),
      error: (error: unknown) => (this.error = error),
    });
  }

  /** The one that was registered. */
  entry(): Entry {
    if (this.entries.length !== 1) throw this.error ?? new Error(`${this.entries.length} registrations of ${this.key}`);
    return this.entries[0] as Entry;
  }

  get revision(): bigint {
    return this.entry().revision;
  }

  /** It has been told if and only if its key is not its own any more. */
  check(): void {
    if (this.doomed) expect(KvError.is(this.error) && this.error.code, `${this.key} was lost`).toBe('session-lost');
    else expect(this.error, `${this.key} is still kept alive`).toBeUndefined();
  }

  stop(): void {
    this.subscription.unsubscribe();
  }
}
