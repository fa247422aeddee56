/**
 * Expiries: ending the keys with a ttl in time, while their writer lives.
 *
 * Consul ends a session twice its ttl after it was made, which has whole seconds and a minimum; so the writer ends it
 * itself when the ttl of the key is over, and Consul's clock is for what a dead writer left.
 */
import type { Sessions } from './session.js';

interface Expiry {
  readonly session: string;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** setTimeout counts in 32 bits. */
const longest = 2 ** 31 - 1;
/** ms from one try to end a session to the next. */
const pause = 1000;

export class Expiries {
  private readonly sessions: Sessions;
  private readonly expiries: Map<string, Expiry> = new Map();
  private closed = false;

  constructor(sessions: Sessions) {
    this.sessions = sessions;
  }

  /** The key that was just bound to the session goes when the ttl (ms) is over; the session it had before ends. */
  set(key: string, session: string, ttl: number): void {
    this.drop(key);
    if (!this.closed) this.wait(key, session, performance.now() + ttl);
  }

  /** The key is no longer bound to the session it had from us, if it had one. */
  drop(key: string): void {
    const expiry = this.expiries.get(key);
    if (expiry === undefined) return;
    this.expiries.delete(key);
    clearTimeout(expiry.timer);
    void this.sessions.end(expiry.session);
  }

  /** No key goes by our clock any more: they go by Consul's. */
  close(): void {
    this.closed = true;
    for (const { timer } of this.expiries.values()) clearTimeout(timer);
    this.expiries.clear();
  }

  private wait(key: string, session: string, due: number): void {
    const timer = setTimeout(
      () => {
        if (performance.now() < due) this.wait(key, session, due);
        else void this.expire(key, session);
      },
      Math.min(longest, Math.max(1, Math.ceil(due - performance.now()))),
    );
    // An idle store keeps no process alive.
    timer.unref();
    this.expiries.set(key, { session, timer });
  }

  private async expire(key: string, session: string): Promise<void> {
    const ended = await this.sessions.end(session);
    if (this.expiries.get(key)?.session !== session) return;
    if (ended || this.closed) this.expiries.delete(key);
    else this.wait(key, session, performance.now() + pause);
  }
}
