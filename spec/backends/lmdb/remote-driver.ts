/** A driver in another process: its store is here, its connection there, and only messages between them. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Observable } from 'rxjs';
import type { Capabilities } from '../../../src/capabilities.js';
import type { Driver, DriverContext, Feed, Health, Listing, Outcome, Session } from '../../../src/driver.js';
import { KvError, type KvErrorDetail } from '../../../src/errors.js';
import type { LmdbOptions } from '../../../src/backends/lmdb/index.js';

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly next?: unknown;
  readonly error?: KvErrorDetail & { code: KvError['code']; message: string };
  readonly done?: true;
}

/** A process that hosts drivers. */
export class DriverHost {
  readonly process: ChildProcess;
  private readonly heard: Map<number, (answer: Answer) => void> = new Map();
  private calls = 0;
  private drivers = 0;

  private constructor(child: ChildProcess) {
    this.process = child;
    child.on('message', (answer: Answer) => this.heard.get(answer.id)?.(answer));
  }

  static async start(): Promise<DriverHost> {
    const file = fileURLToPath(new URL('driver-host.mjs', import.meta.url));
    // Structured clones keep bytes and big integers.
    const child = fork(file, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    await once(child, 'message');
    return new DriverHost(child);
  }

  async stop(): Promise<void> {
    const exited = once(this.process, 'exit');
    this.process.disconnect();
    await exited;
  }

  /** A driver of lmdb() over there. */
  async lmdb(options: LmdbOptions): Promise<Driver> {
    const id = ++this.drivers;
    const { capabilities } = (await this.ask(id, 'open', options)) as { capabilities: Capabilities };
    return new RemoteDriver(this, id, capabilities);
  }

  ask(driver: number, kind: string, ...args: readonly unknown[]): Promise<unknown> {
    const id = ++this.calls;
    return new Promise((resolve, reject) => {
      this.heard.set(id, ({ result, error }) => {
        this.heard.delete(id);
        if (error === undefined) resolve(result);
        else reject(errorOf(error));
      });
      this.process.send({ id, kind, driver, args });
    });
  }

  /** @param ended what the other process does for an unsubscribe */
  follow$(driver: number, kind: string, args: readonly unknown[], ended: (work: Promise<void>) => void): Observable<unknown> {
    return new Observable(subscriber => {
      const id = ++this.calls;
      this.heard.set(id, ({ next, error }) => {
        if (error === undefined) subscriber.next(next);
        else subscriber.error(errorOf(error));
      });
      this.process.send({ id, kind, driver, args });
      return () => {
        ended(
          new Promise(resolve => {
            this.heard.set(id, ({ done }) => {
              if (done !== true) return;
              this.heard.delete(id);
              resolve();
            });
            this.process.send({ id, kind: 'unsubscribe', driver });
          }),
        );
      };
    });
  }
}

class RemoteDriver implements Driver {
  readonly name = 'lmdb';
  readonly capabilities: Capabilities;
  readonly local = true;
  private readonly host: DriverHost;
  private readonly id: number;
  private ending: DriverContext['ending'] = () => {};

  constructor(host: DriverHost, id: number, capabilities: Capabilities) {
    this.host = host;
    this.id = id;
    this.capabilities = capabilities;
  }

  start({ timeout, silence, ending }: DriverContext): void {
    this.ending = ending;
    void this.host.ask(this.id, 'start', { timeout, silence });
  }

  ready(call: { timeout: number }): Promise<Capabilities> {
    return this.ask('ready', plain(call));
  }

  list(query: Parameters<Driver['list']>[0], { timeout, consistency }: Parameters<Driver['list']>[1]): Promise<Listing> {
    return this.ask('list', query, { timeout, consistency });
  }

  commit({ checks, ops }: Parameters<Driver['commit']>[0], call: { timeout: number }): Promise<Outcome> {
    const sent = {
      checks: checks.map(check => ('held' in check ? { held: { ...check.held, session: bare(check.held.session) } } : check)),
      ops: ops.map(op => ('session' in op && op.session !== undefined ? { ...op, session: bare(op.session) } : op)),
    };
    return this.ask('commit', sent, plain(call));
  }

  feed$(range: Parameters<Driver['feed$']>[0], since?: bigint): Observable<Feed> {
    return this.host.follow$(this.id, 'feed', [range, since], this.ending) as Observable<Feed>;
  }

  session$(ttl: number): Observable<Session> {
    return new Observable(subscriber => {
      let told: { id: string; ttl: number; remaining: number } | undefined;
      let at = 0;
      const said$ = this.host.follow$(this.id, 'session', [ttl], this.ending) as Observable<NonNullable<typeof told>>;
      return said$.subscribe({
        next: news => {
          const first = told === undefined;
          told = news;
          at = performance.now();
          if (first) subscriber.next({ id: news.id, ttl: news.ttl, remaining: () => (told?.remaining ?? 0) - (performance.now() - at) });
        },
        error: (error: unknown) => {
          told = undefined;
          subscriber.error(error);
        },
      });
    });
  }

  health(call: { timeout: number }): Promise<Health> {
    return this.ask('health', plain(call));
  }

  close(): Promise<void> {
    return this.ask('close');
  }

  private ask<T>(kind: string, ...args: readonly unknown[]): Promise<T> {
    return this.host.ask(this.id, kind, ...args) as Promise<T>;
  }
}

/** Signals cannot travel; the store sees to them. */
function plain({ timeout }: { timeout: number }): { timeout: number } {
  return { timeout };
}

function bare({ id, ttl }: Session): { id: string; ttl: number } {
  return { id, ttl };
}

function errorOf({ code, message, ...detail }: NonNullable<Answer['error']>): KvError {
  return new KvError(code, message, detail);
}
