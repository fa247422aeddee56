/**
 * Sessions: a record with a ttl that is renewed while somebody is subscribed, and with it the keys that are bound to it.
 *
 * Redis knows no leases: each bound key has a ttl of its own, which is counted anew with the session's as long as the
 * key is still what the session put there.
 */
import { from, merge, Observable, of, switchMap } from 'rxjs';
import type { Session } from '../../driver.js';
import { KvError } from '../../errors.js';
import { type Clock, keep$, Lease, momentOf, systemClock } from '../../lease.js';
import type { Argument, Client, Reply } from './client.js';
import { backend } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { release, renew, type Script, sumOf } from './scripts.js';
import type { Servers } from './servers.js';

export interface SessionsOptions {
  readonly servers: Servers;
  readonly keyspace: Keyspace;
  /** ms for one round trip */
  readonly timeout: number;
  /** Told of what a teardown started. */
  readonly ending: (work: Promise<void>) => void;
}

/** What a session put, by key: the sums of the values. */
type Bound = Map<string, string>;

export class Sessions {
  private readonly options: SessionsOptions;
  private readonly clock: Clock = systemClock;
  private readonly live: Map<string, Bound> = new Map();

  constructor(options: SessionsOptions) {
    this.options = options;
  }

  /** As {@link Driver.session$}. */
  session$(ttl: number): Observable<Session> {
    return new Observable<Session>(subscriber => {
      const id = crypto.randomUUID();
      const lease = new Lease(ttl, this.clock, momentOf(this.clock));
      this.live.set(id, new Map());
      const begun = this.begin(id, ttl);
      subscriber.add(() => this.options.ending(this.end(id, begun)));
      subscriber.add(
        from(begun)
          .pipe(switchMap(() => this.live$(id, lease)))
          .subscribe(subscriber),
      );
    });
  }

  /** The session is to take this key with it. Before the key is put: it is looked at before anything is done to it. */
  bind({ id }: Session, key: string, value: Uint8Array): void {
    const bound = this.live.get(id);
    if (bound === undefined) throw this.ended();
    bound.set(key, sumOf(value));
  }

  /** The key was taken out of the session's hands. */
  unbind({ id }: Session, key: string): void {
    this.live.get(id)?.delete(key);
  }

  /** @throws KvError `session-lost` where the server no longer has the session */
  async check({ id }: Session, timeout: number): Promise<void> {
    const name = this.options.keyspace.session(id);
    const there = await this.options.servers.call(name, { send: client => client.call('EXISTS', name), repeatable: true, timeout });
    if (there !== 1) throw this.ended();
  }

  private live$(id: string, lease: Lease): Observable<Session> {
    const session: Session = { id, ttl: lease.ttl, remaining: () => lease.remaining() };
    const kept$ = keep$({ lease, renew: () => this.renew(id, lease.ttl), clock: this.clock });
    // One that took longer to begin than it lives is over before anybody could use it.
    return lease.remaining() > 0 ? merge(of(session), kept$) : kept$;
  }

  /** Repeatable: nobody else has that id. */
  private async begin(id: string, ttl: number): Promise<void> {
    const name = this.options.keyspace.session(id);
    await this.ask(name, client => client.call('SET', name, '', 'PX', ttl));
  }

  private async renew(id: string, ttl: number): Promise<void> {
    const name = this.options.keyspace.session(id);
    const [there] = await Promise.all([
      this.ask(name, client => client.call('PEXPIRE', name, ttl)),
      ...this.each(id, renew, [ttl], keys => keys),
    ]);
    if (there !== 1) throw this.ended();
  }

  /** What cannot be ended lapses. */
  private async end(id: string, begun: Promise<void>): Promise<void> {
    const { keyspace } = this.options;
    const name = keyspace.session(id);
    const withIndex = (keys: string[]): string[] => [...keys, keyspace.indexed ? keyspace.index : (keys[0] as string)];
    try {
      await begun.catch(() => undefined);
      await Promise.all([
        this.ask(name, client => client.call('UNLINK', name)),
        ...this.each(id, release, [keyspace.root, keyspace.indexed ? '1' : '0'], withIndex),
      ]);
    } catch {
      // Out of reach.
    } finally {
      this.live.delete(id);
    }
  }

  /** Runs a script on all that the session put: in one go, or each in its slot. */
  private each(id: string, script: Script, args: readonly Argument[], keysOf: (keys: string[]) => string[]): Promise<Reply>[] {
    const { keyspace } = this.options;
    const bound = [...(this.live.get(id) ?? [])];
    if (bound.length === 0) return [];
    return (keyspace.oneSlot ? [bound] : bound.map(one => [one])).map(async some => {
      const keys = some.flatMap(([key]) => keyspace.pair(key));
      return this.ask(keys[0] as string, client => client.run(script, keysOf(keys), [id, ...args, ...some.map(([, sum]) => sum)]));
    });
  }

  private ask(name: string, send: (client: Client) => Promise<Reply>): Promise<Reply> {
    return this.options.servers.call(name, { send, repeatable: true, timeout: this.options.timeout });
  }

  private ended(): KvError {
    return new KvError('session-lost', 'the session has ended', { backend });
  }
}
