/** What stands for a server in docs/writing-a-driver.md: rows, a revision, ttls, sessions, and news of what was written. */
import { Subject } from 'rxjs';
import type { DriverOp } from 'rxkv/driver';

interface Row {
  readonly value: Uint8Array<ArrayBuffer>;
  readonly revision: bigint;
  readonly created: bigint;
  /** The id of the session that it dies with. */
  readonly session?: string | undefined;
  /** Removes it when its ttl is over. */
  readonly expiry?: ReturnType<typeof setTimeout> | undefined;
}

/** The server: what several connections share. Keys are whole here, root included. */
export class MapServer {
  readonly rows: Map<string, Row> = new Map();
  revision = 0n;
  /** The keys that one transaction touched, once all of it is done. */
  readonly touched$: Subject<readonly string[]> = new Subject();
  private readonly sessions: Map<string, ReturnType<typeof setTimeout>> = new Map();
  private touched: string[] = [];

  /** One transaction has one revision, and is told in one piece; one that touches nothing has neither. */
  transact<T>(work: (revision: bigint) => T): T {
    const revision = this.revision + 1n;
    const result = work(revision);
    const { touched } = this;
    this.touched = [];
    if (touched.length > 0) {
      this.revision = revision;
      this.touched$.next(touched);
    }
    return result;
  }

  put(key: string, { value, ttl, session }: Extract<DriverOp, { put: string }>, revision: bigint): void {
    const before = this.rows.get(key);
    const kept = ttl === 'keep' ? before : undefined;
    if (kept === undefined) clearTimeout(before?.expiry);
    // One ms more: a timer can be early by a fraction of one, and a key must not.
    const expiry = typeof ttl === 'number' ? setTimeout(() => this.transact(() => this.remove(key)), ttl + 1).unref() : kept?.expiry;
    this.rows.set(key, { value, revision, created: before?.created ?? revision, session: session?.id ?? kept?.session, expiry });
    this.touched.push(key);
  }

  remove(key: string): boolean {
    clearTimeout(this.rows.get(key)?.expiry);
    const existed = this.rows.delete(key);
    if (existed) this.touched.push(key);
    return existed;
  }

  alive(session: string): boolean {
    return this.sessions.has(session);
  }

  /** Begins a session, or counts its ttl anew. */
  renew(session: string, ttl: number): void {
    clearTimeout(this.sessions.get(session));
    // Longer than the holder counts, and counted later: it is told before a rival can acquire.
    this.sessions.set(session, setTimeout(() => this.end(session), ttl + 50).unref());
  }

  end(session: string): void {
    clearTimeout(this.sessions.get(session));
    this.sessions.delete(session);
    // Only keys that are still its own: whoever wrote one since has taken it over.
    const owned = [...this.rows].filter(([, row]) => row.session === session);
    this.transact(() => owned.forEach(([key]) => this.remove(key)));
  }
}
