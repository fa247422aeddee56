/**
 * Shared sessions: those that nodes of ours belong to. A server counts the connections of each address, so there is one
 * for all that ask for about the same ttl, and none while nobody asks.
 */
import type { DriverOp, OpResult, Session } from '../../driver.js';
import { KvError } from '../../errors.js';
import { closedError } from '../../running.js';
import type { Route } from './call.js';
import { backend, sessionEnded } from './errors.js';
import type { Expiries } from './expiry.js';
import type { Settings } from './options.js';
import { SharedSession } from './shared-session.js';

export interface SharedSessionsOptions {
  readonly settings: Settings;
  /** ms that a peer may say nothing */
  readonly silence: number;
  /** ms for one round trip */
  readonly timeout: number;
  readonly expiries: Expiries;
}

/** A session for one transaction. */
export interface Place extends Route {
  /** Takes note of what was written: keys with a ttl go when it is over, those of a session with that. */
  keep(ops: readonly DriverOp[], results: readonly OpResult[]): void;
  readonly leave: () => void;
}

/** Somebody's share of a session. */
export interface Share {
  readonly shared: SharedSession;
  readonly leave: () => void;
}

/** In ticks: what of a session can be counted on. A ttl gets the shortest that is as long. */
const lengths: readonly number[] = [1, 2, 4, 8, 16, 19];

export class SharedSessions {
  private readonly options: SharedSessionsOptions;
  private readonly byLength: Map<number, SharedSession> = new Map();
  /** Those with a name, and the keys that go with them. */
  private readonly named: Map<string, { readonly shared: SharedSession; readonly keys: Map<string, bigint> }> = new Map();
  private closed = false;

  constructor(options: SharedSessionsOptions) {
    this.options = options;
  }

  /** A share of a session that can be counted on for that ttl. */
  enter(ttl: number): Share {
    if (this.closed) throw closedError(backend);
    const { settings, silence, timeout } = this.options;
    const { tickTime } = settings;
    const length = (lengths.find(ticks => ticks * tickTime >= ttl) ?? ttl / tickTime) * tickTime;
    let shared = this.byLength.get(length);
    if (shared === undefined || shared.isLost) {
      const made = new SharedSession({ settings, silence, timeout, length, left: () => this.forget(length, made) });
      shared = made;
      this.byLength.set(length, made);
    }
    return { shared, leave: shared.enter() };
  }

  /** Gives a session of the driver's its name. @returns its end: the keys that go with it */
  name(id: string, shared: SharedSession): () => ReadonlyMap<string, bigint> {
    const keys = new Map<string, bigint>();
    this.named.set(id, { shared, keys });
    return () => {
      this.named.delete(id);
      return keys;
    };
  }

  /** The shared session that one of the driver's is a part of. @throws KvError `session-lost` */
  of({ id }: Session): SharedSession {
    const known = this.named.get(id);
    if (known === undefined || known.shared.isLost) throw sessionEnded();
    return known.shared;
  }

  /** undefined where the nodes of a transaction belong to no session. @throws KvError */
  async placeFor({ ops }: { readonly ops: readonly DriverOp[] }): Promise<Place | undefined> {
    const puts = ops.flatMap(op => ('put' in op ? [op] : []));
    const session = puts.find(put => put.session !== undefined)?.session;
    if (session !== undefined) {
      const shared = this.of(session);
      return this.place(shared, shared.enter());
    }
    const ttls = puts.flatMap(({ ttl }) => (typeof ttl === 'number' ? [ttl] : []));
    if (ttls.length === 0 || this.options.settings.ttlNodes) return undefined;
    const ttl = Math.max(...ttls);
    const { shared, leave } = this.enter(ttl);
    try {
      const lease = await shared.live();
      if (lease.ttl < ttl) throw new KvError('invalid', `ttl ${ttl} ms is over the ${lease.ttl} ms that this server grants`, { backend });
    } catch (error) {
      leave();
      throw error;
    }
    return this.place(shared, leave);
  }

  /** Ends all of them; settles once the servers have taken leave, or soon after. */
  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.byLength.values()].map(async shared => shared.close()));
  }

  private place(shared: SharedSession, leave: () => void): Place {
    return {
      call: call => shared.call(call),
      leave,
      keep: (ops, results) => {
        ops.forEach((op, i) => {
          const created = results[i]?.entry?.created;
          if (!('put' in op) || created === undefined) return;
          if (op.session !== undefined) this.named.get(op.session.id)?.keys.set(op.put, created);
          else if (typeof op.ttl === 'number') this.options.expiries.set(op.put, created, { shared, ttl: op.ttl });
        });
      },
    };
  }

  private forget(length: number, shared: SharedSession): void {
    if (this.byLength.get(length) === shared) this.byLength.delete(length);
  }
}
