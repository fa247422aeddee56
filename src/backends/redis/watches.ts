/** Watches: the hubs of all masters as one, open while somebody is subscribed. */
import { Observable, type Subscriber, type Subscription, timer } from 'rxjs';
import type { KvError } from '../../errors.js';
import { closedError } from '../../running.js';
import { backend, translated } from './errors.js';
import { Hub, type Listener } from './hub.js';
import type { Keyspace } from './keyspace.js';
import type { Server } from './server.js';
import type { Servers } from './servers.js';

/**
 * `armed`: from now on all is told, and what was before is not. `keys`: what was written, in one step or several.
 * `flushed`: everything. `alive`: all masters were heard. `lost`: nothing is told until it is armed again.
 */
export type Notice =
  | { readonly type: 'armed' }
  | { readonly type: 'keys'; readonly names: readonly string[] }
  | { readonly type: 'flushed' }
  | { readonly type: 'alive' }
  | { readonly type: 'lost' };

export interface WatchesOptions {
  readonly servers: Servers;
  readonly keyspace: Keyspace;
  /** ms that a feed may say nothing */
  readonly silence: number;
  /** ms for one round trip */
  readonly timeout: number;
}

/** ms */
const pauseAfterFailure = 200;

export class Watches {
  private readonly options: WatchesOptions;
  private readonly subscribers: Set<Subscriber<Notice>> = new Set();
  private readonly hubs: Map<Server, Hub> = new Map();
  private beating: Subscription | undefined;
  private meeting: Promise<void> | undefined;
  private told = false;

  constructor(options: WatchesOptions) {
    this.options = options;
  }

  /** Errors for what trying again does not mend: `unsupported` where a server does not tell, `denied`. Never completes. */
  watch$(): Observable<Notice> {
    return new Observable(subscriber => {
      this.subscribers.add(subscriber);
      subscriber.add(() => {
        this.subscribers.delete(subscriber);
        if (this.subscribers.size === 0) this.stop();
      });
      if (this.beating === undefined) this.begin();
      else if (this.told) subscriber.next({ type: 'armed' });
    });
  }

  /** Resolves once all has been told that was written before. Rejects where a connection breaks. */
  async barrier(): Promise<void> {
    await Promise.all([...this.hubs.values()].map(hub => hub.ping()));
  }

  close(): void {
    this.fail(closedError(backend));
    this.stop();
  }

  private begin(): void {
    const every = this.options.silence / 4;
    this.beating = timer(every, every).subscribe(() => this.beat());
    this.meet();
  }

  private stop(): void {
    this.beating?.unsubscribe();
    this.beating = undefined;
    this.told = false;
    for (const hub of this.hubs.values()) hub.stop();
    this.hubs.clear();
  }

  private tell(notice: Notice): void {
    for (const subscriber of [...this.subscribers]) subscriber.next(notice);
  }

  private fail(error: KvError): void {
    for (const subscriber of [...this.subscribers]) subscriber.error(error);
  }

  /** Has a hub at each master, and none elsewhere. */
  private meet(): void {
    const { servers, timeout } = this.options;
    this.meeting ??= servers
      .masters(timeout, true)
      .then(
        masters => {
          if (this.beating === undefined) return;
          for (const [server, hub] of [...this.hubs]) {
            if (masters.includes(server)) continue;
            hub.stop();
            this.hubs.delete(server);
          }
          for (const server of masters) if (!this.hubs.has(server)) this.add(server);
          this.settle();
        },
        (error: unknown) => {
          const known = translated(error);
          if (!known.transient) this.fail(known);
          else this.beating?.add(timer(pauseAfterFailure).subscribe(() => this.meet()));
        },
      )
      .finally(() => {
        this.meeting = undefined;
      });
  }

  private add(server: Server): void {
    const { keyspace, timeout } = this.options;
    this.told = false;
    const listener: Listener = {
      armed: () => {
        this.told = false;
        this.settle();
      },
      keys: names => this.tell({ type: 'keys', names: names.flatMap(name => keyspace.text(name) ?? []) }),
      flushed: () => this.tell({ type: 'flushed' }),
      lost: () => {
        this.told = false;
        this.tell({ type: 'lost' });
        // Another may have taken its place.
        this.meet();
      },
      failed: error => this.fail(error),
    };
    this.hubs.set(server, new Hub({ server, prefix: keyspace.root, patience: timeout, listener }));
  }

  /** Says that all are armed, once they are. */
  private settle(): void {
    if (this.told || this.hubs.size === 0 || ![...this.hubs.values()].every(hub => hub.armed)) return;
    this.told = true;
    this.tell({ type: 'armed' });
  }

  private beat(): void {
    const { silence } = this.options;
    const late = (hub: Hub): boolean => hub.armed && performance.now() - hub.heardAt > silence / 2;
    const hubs = [...this.hubs.values()];
    // After a blocked event loop this timer is due before the sockets have been read: one more turn for them.
    if (hubs.some(late)) this.beating?.add(timer(0).subscribe(() => hubs.filter(late).forEach(hub => hub.drop())));
    Promise.all(hubs.map(async hub => hub.ping())).then(
      () => this.told && this.tell({ type: 'alive' }),
      // A lost connection is told by itself.
      () => undefined,
    );
    this.meet();
  }
}
