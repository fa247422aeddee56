/**
 * A shared session: one of ZooKeeper's, with a connection and a deadline of its own, for as long as anybody has a share.
 *
 * It is lost at the deadline, whatever the server says later: by then others may hold what it held.
 */
import type { Subscription } from 'rxjs';
import { delay } from '../../delay.js';
import { KvError } from '../../errors.js';
import { keep$, Lease, momentOf, systemClock } from '../../lease.js';
import { Arrivals } from './arrivals.js';
import { askedFor, countedOn } from './capabilities.js';
import { type Client, openClient } from './client.js';
import { answered, type Call, pause, type Route, type Way } from './call.js';
import type { Connection } from './connection.js';
import { backend, isOfConnection, sessionEnded, translated } from './errors.js';
import { Holders } from './holders.js';
import type { Settings } from './options.js';

export interface SharedSessionOptions {
  readonly settings: Settings;
  /** ms that a peer may say nothing */
  readonly silence: number;
  /** ms for one round trip */
  readonly timeout: number;
  /** ms that are to be counted on */
  readonly length: number;
  /** Called when it takes no more users. */
  readonly left: () => void;
}

/** ms that it outlives its last user: the next one often comes soon, and a new session is a write of the whole ensemble. */
const linger = 500;
/** ms between tries of what a cut prevents, while the session stands. */
export const again = 50;

export class SharedSession implements Route {
  private readonly options: SharedSessionOptions;
  private readonly opening: Promise<Client>;
  private readonly beginning: Promise<Lease>;
  private readonly listeners: Set<(error: KvError) => void> = new Set();
  private established: (() => void) | undefined;
  private refused: ((error: KvError) => void) | undefined;
  private client: Client | undefined;
  private lease: Lease | undefined;
  private renewing: NodeJS.Timeout | undefined;
  private kept: Subscription | undefined;
  private release: (() => void) | undefined;
  private readonly holders: Holders = new Holders(() => this.keep());
  private readonly users: Holders = new Holders(() => this.mind());
  private lingering: NodeJS.Timeout | undefined;
  private lost: KvError | undefined;
  private whenEnded: (() => void) | undefined;
  private readonly way: Way = {
    connection: () => this.asked(),
    end: (failure, detail) => (this.isLost && isOfConnection(failure) ? sessionEnded(detail) : undefined),
  };

  constructor(options: SharedSessionOptions) {
    this.options = options;
    const { settings, silence, length } = options;
    const greeted = new Promise<void>((resolve, reject) => {
      this.established = resolve;
      this.refused = reject;
    });
    greeted.catch(() => undefined);
    this.opening = openClient(settings, {
      session: askedFor(length, settings.tickTime),
      silence: silence / 2,
      arrivals: new Arrivals(),
      listener: {
        established: () => this.established?.(),
        cut: () => undefined,
        refused: fault => this.lose(translated(fault)),
        ended: () => this.ended(),
        alive: () => undefined,
        event: () => undefined,
      },
    });
    this.beginning = this.begin(greeted);
    // Whoever waits for it hears of it.
    this.beginning.catch((error: unknown) => this.lose(translated(error)));
  }

  get isLost(): boolean {
    if (this.lost === undefined && this.lease !== undefined && this.lease.remaining() <= 0)
      this.lose(new KvError('session-lost', `not renewed within its ttl of ${this.lease.ttl} ms`, { backend }));
    return this.lost !== undefined;
  }

  /** The session's number, as nodes say whose they are. */
  get owner(): bigint {
    return this.client?.connection.sessionId.readBigInt64BE(0) ?? 0n;
  }

  /** Its connection. One-shot watches on it last as long as the session. */
  get connection(): Connection | undefined {
    return this.client?.connection;
  }

  /** Resolves with its deadline once it is live. @throws KvError */
  async live(): Promise<Lease> {
    const lease = await this.beginning;
    if (this.isLost) throw this.lost;
    return lease;
  }

  /** Takes a share; the function that is returned gives it back. */
  enter(): () => void {
    return this.users.enter();
  }

  /** Keeps the process alive, and watches the deadline to the ms, until the function that is returned is called. */
  hold(): () => void {
    return this.holders.enter();
  }

  /** Told once when it is lost; at once where it is so already. */
  whenLost(listener: (error: KvError) => void): () => void {
    if (this.lost !== undefined) listener(this.lost);
    else this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** As {@link Route.call}; `session-lost` once it is lost. */
  call<T>(call: Call<T>): Promise<T> {
    return answered(call, this.way);
  }

  /** As {@link call}, of what may be asked twice, for as long as the session stands: to that a cut is no loss. */
  async insist<T>(send: (connection: Connection) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await this.call({ send, repeatable: true, timeout: this.options.timeout });
      } catch (error) {
        if (!translated(error).transient || this.isLost) throw error;
        await delay(again);
      }
    }
  }

  /** Ends it on the server, with all that belongs to it; settles when that is done, or soon after. */
  async close(): Promise<void> {
    if (this.lost === undefined) this.lose(sessionEnded());
    const { client } = this;
    if (client === undefined || this.whenEnded !== undefined) return;
    await new Promise<void>(resolve => {
      this.whenEnded = resolve;
      client.native.close();
    });
  }

  private async asked(): Promise<Connection> {
    await this.beginning;
    if (this.isLost) throw this.lost;
    return (await this.opening).connection;
  }

  /** Nothing but the deadline itself is in time for those who hold something. */
  private keep(): void {
    const { client, lease } = this;
    if (!this.holders.any) {
      this.kept?.unsubscribe();
      this.kept = undefined;
    } else if (this.kept === undefined && client !== undefined && lease !== undefined) {
      const { connection } = client;
      this.kept = keep$({ lease, renew: () => connection.ping() }).subscribe({ error: (error: unknown) => this.lose(translated(error)) });
      this.kept.add(connection.hold());
    }
  }

  private mind(): void {
    clearTimeout(this.lingering);
    if (this.users.any || this.lost !== undefined) return;
    this.lingering = setTimeout(() => void this.close(), linger);
    this.lingering.unref();
  }

  private async begin(greeted: Promise<void>): Promise<Lease> {
    const client = await this.opening;
    this.client = client;
    if (this.lost !== undefined) {
      client.native.close();
      throw this.lost;
    }
    const { connection } = client;
    // Somebody waits for it.
    this.release = connection.hold();
    await greeted;
    this.release();
    const { tickTime } = this.options.settings;
    const granted = countedOn(connection.sessionTimeout, tickTime);
    let sent = momentOf(systemClock);
    for (;;) {
      try {
        await connection.ping();
        break;
      } catch (error) {
        if (this.lost !== undefined) throw error;
        await delay(pause);
        sent = momentOf(systemClock);
      }
    }
    const lease = new Lease(granted, systemClock, sent);
    this.lease = lease;
    // For keys with a ttl alone, which keep no process alive.
    this.renewing = setInterval(() => this.renew(connection, lease), granted / 3);
    this.renewing.unref();
    return lease;
  }

  private renew(connection: Connection, lease: Lease): void {
    if (this.isLost) return;
    const sent = momentOf(systemClock);
    connection.ping().then(
      () => lease.renewed(sent),
      () => undefined,
    );
  }

  private lose(error: KvError): void {
    if (this.lost !== undefined) return;
    this.lost = error;
    clearTimeout(this.lingering);
    this.refused?.(error);
    clearInterval(this.renewing);
    this.kept?.unsubscribe();
    this.release?.();
    this.options.left();
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const listener of listeners) listener(error);
    this.client?.native.close();
  }

  private ended(): void {
    this.lose(new KvError('session-lost', 'ZooKeeper has ended the session', { backend }));
    this.whenEnded?.();
  }
}
