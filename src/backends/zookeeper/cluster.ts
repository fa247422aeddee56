/** A cluster: the session that a store's calls and watches go through, and the next one when it has ended. */
import { closedError } from '../../running.js';
import { Arrivals } from './arrivals.js';
import { answered, type Call, type Route, type Way } from './call.js';
import { longestSession } from './capabilities.js';
import { type Client, openClient } from './client.js';
import type { Connection } from './connection.js';
import { backend } from './errors.js';
import { Holders } from './holders.js';
import type { Settings } from './options.js';

/** Told of what concerns all watches. */
export interface Follower {
  /** A connection is live, and something may have been missed before. */
  reset(): void;
  alive(): void;
  event(type: number, path: string, at: number): void;
}

export interface ClusterOptions {
  readonly settings: Settings;
  /** ms that a feed may say nothing */
  readonly silence: number;
}

export class Cluster implements Route {
  /** Persistent watches, by path, and whether they are of all below it. */
  readonly trees: Map<string, boolean> = new Map();
  /** What its sessions heard, one after the other. */
  readonly arrivals: Arrivals = new Arrivals();
  follower: Follower | undefined;
  private readonly settings: Settings;
  private readonly silence: number;
  private opening: Promise<Client> | undefined;
  private current: Client | undefined;
  private readonly holders: Holders = new Holders(() => this.mind());
  private release: (() => void) | undefined;
  private overdue: NodeJS.Timeout | undefined;
  private whenEnded: (() => void) | undefined;
  /** Whether any session has been live. */
  private greeted = false;
  private closed = false;
  private readonly way: Way = {
    connection: () => this.current?.connection ?? this.connection(),
    end: () => (this.closed ? closedError(backend) : undefined),
  };

  constructor({ settings, silence }: ClusterOptions) {
    this.settings = settings;
    this.silence = silence;
  }

  get native(): unknown {
    return this.current?.native;
  }

  get host(): string {
    return this.current?.connection.dial.host ?? (this.settings.hosts[0] as string);
  }

  /** The session in use. @throws KvError */
  async connection(): Promise<Connection> {
    if (this.closed) throw closedError(backend);
    if (this.current !== undefined) return this.current.connection;
    this.opening ??= this.open();
    return (await this.opening).connection;
  }

  /** As {@link Route.call}. */
  call<T>(call: Call<T>): Promise<T> {
    return answered(call, this.way);
  }

  /** Keeps the process alive, and the session connected, until the function that is returned is called. */
  hold(): () => void {
    const release = this.holders.enter();
    if (this.current === undefined) this.connection().catch(() => undefined);
    return release;
  }

  /** Settles once the server has taken leave, or soon after. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.overdue);
    this.release?.();
    const { current } = this;
    if (current === undefined) return;
    await new Promise<void>(resolve => {
      this.whenEnded = resolve;
      current.native.close();
    });
  }

  private async open(): Promise<Client> {
    const { settings, silence, trees, arrivals } = this;
    // Half of it until a silent peer is left, and the rest to get on with the next.
    const opened = await openClient(settings, {
      session: longestSession(settings.tickTime),
      silence: silence / 2,
      trees,
      arrivals,
      listener: {
        established: () => this.established(),
        cut: () => this.cut(),
        ended: () => this.ended(),
        alive: () => this.follower?.alive(),
        event: (type, path, at) => this.follower?.event(type, path, at),
      },
    }).catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    if (this.closed) {
      opened.native.close();
      throw closedError(backend);
    }
    this.current = opened;
    this.mind();
    return opened;
  }

  private established(): void {
    clearTimeout(this.overdue);
    this.overdue = undefined;
    if (this.greeted) this.follower?.reset();
    this.greeted = true;
  }

  /** A session that has been cut off for as long as it lasts is given up: the server may no longer know what we have seen. */
  private cut(): void {
    const { current } = this;
    if (current === undefined || this.overdue !== undefined) return;
    this.overdue = setTimeout(() => {
      this.overdue = undefined;
      if (this.current === current) current.native.close();
    }, current.connection.sessionTimeout);
    if (!this.holders.any) this.overdue.unref();
  }

  private ended(): void {
    clearTimeout(this.overdue);
    this.overdue = undefined;
    this.release = undefined;
    this.current = undefined;
    this.opening = undefined;
    this.whenEnded?.();
    if (this.holders.any && !this.closed) this.connection().catch(() => undefined);
  }

  private mind(): void {
    if (this.holders.any) this.release ??= this.current?.connection.hold();
    else {
      this.release?.();
      this.release = undefined;
    }
  }
}
