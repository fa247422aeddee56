/**
 * A hub: the one connection on which a server tells what was written below the root.
 *
 * CLIENT TRACKING in broadcast mode, redirected to the very connection that asks for it: with two, either may die
 * while the other looks well. It speaks RESP2, since ioredis drops what RESP3 pushes. What it missed while it was
 * cut, nobody tells: whoever listens reads everything anew when it is armed.
 */
import type { Client } from './client.js';
import { notTracked } from './errors.js';
import type { KvError } from '../../errors.js';
import { isPassing } from '../../failure.js';
import type { Server } from './server.js';

export interface Listener {
  /** From now on all is told. */
  armed(): void;
  keys(names: readonly Buffer[]): void;
  /** A database was emptied. */
  flushed(): void;
  lost(): void;
  /** Trying again does not mend it. */
  failed(error: KvError): void;
}

export interface HubOptions {
  readonly server: Server;
  /** Of the names that are told; '' for all. */
  readonly prefix: string;
  /** ms that arming may take */
  readonly patience: number;
  readonly listener: Listener;
}

const channel = '__redis__:invalidate';
const firstPause = 25;
const longestPause = 1000;

export class Hub {
  readonly server: Server;
  private readonly options: HubOptions;
  private client: Client | undefined;
  private again: ReturnType<typeof setTimeout> | undefined;
  private pause = firstPause;
  private stopped = false;

  constructor(options: HubOptions) {
    this.options = options;
    this.server = options.server;
    void this.open();
  }

  get armed(): boolean {
    return this.client !== undefined;
  }

  /** `performance.now()` of the last word of the server; -Infinity while it is not armed. */
  get heardAt(): number {
    return this.client?.heardAt ?? -Infinity;
  }

  /** Resolves once all has been told that was written before. Rejects where the connection breaks. */
  async ping(): Promise<void> {
    const { client } = this;
    if (client === undefined) throw new Error('Connection is closed.');
    await client.native.ping();
    client.heardAt = performance.now();
  }

  /** Breaks the connection, and makes another. */
  drop(): void {
    this.client?.close();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.again);
    this.client?.close();
    this.client = undefined;
  }

  private async open(): Promise<void> {
    let client: Client | undefined;
    try {
      client = await this.options.server.another();
      await this.arm(client);
    } catch (error) {
      client?.close();
      if (this.stopped) return;
      const known = notTracked(error);
      if (isPassing(known)) this.retry();
      else this.options.listener.failed(known);
      return;
    }
    if (this.stopped) {
      client.close();
      return;
    }
    const armed = client;
    this.client = armed;
    this.pause = firstPause;
    void armed.ended.then(() => this.ended(armed));
    this.options.listener.armed();
  }

  private async arm(client: Client): Promise<void> {
    const { prefix, patience, listener } = this.options;
    const { native } = client;
    native.on('messageBuffer', (_channel, names) => {
      client.heardAt = performance.now();
      // What was told before it was armed is read anyway.
      if (this.client !== client) return;
      if (names === null) listener.flushed();
      else listener.keys(names);
    });
    const tooLate = setTimeout(() => client.close(), patience);
    try {
      const id = await client.call('CLIENT', 'ID');
      const below = prefix === '' ? [] : ['PREFIX', prefix];
      await client.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id as number, 'BCAST', ...below);
      await native.subscribe(channel);
      // Somebody is listening: this keeps the process alive.
      native.stream?.ref();
    } finally {
      clearTimeout(tooLate);
    }
  }

  private ended(client: Client): void {
    if (this.client !== client) return;
    this.client = undefined;
    this.options.listener.lost();
    this.retry();
  }

  private retry(): void {
    const { pause } = this;
    this.pause = Math.min(longestPause, pause * 2);
    this.again = setTimeout(() => void this.open(), pause * (0.5 + Math.random() / 2));
  }
}
