/**
 * Watches: the server's own, one for each path however many look at it, set again on every connection.
 *
 * A session has one watch of a path: of another kind it would take the place of the first (ZOOKEEPER-4466). So all of a
 * store's stand here, and one that is to see what lies below stays so while anybody has it.
 */
import { Observable, type Subscriber } from 'rxjs';
import type { Cluster } from './cluster.js';
import { isFault, translated } from './errors.js';
import { parentOf } from './keyspace.js';
import { code, watchKind } from './numbers.js';
import { addWatch, removeWatches } from './wire.js';

/**
 * `event`: something befell that node, `at` a place among all messages as answers have one. `reset`: something may have been missed. `alive`: the peer was heard.
 * `refused`: the server has no such watches.
 */
export type WatchMessage =
  | { readonly type: 'event'; readonly path: string; readonly happened: number; readonly at: number }
  | { readonly type: 'reset' }
  | { readonly type: 'alive' }
  | { readonly type: 'refused' };

interface Watch {
  recursive: boolean;
  readonly subscribers: Set<Subscriber<WatchMessage>>;
}

export class Watches {
  private readonly cluster: Cluster;
  private readonly timeout: number;
  private readonly watches: Map<string, Watch> = new Map();
  /** How many feeds look at each node of a server that has no persistent watches. */
  readonly interest: Map<string, number> = new Map();
  /** Whether the server has none. */
  private lacking = false;

  constructor(cluster: Cluster, timeout: number) {
    this.cluster = cluster;
    this.timeout = timeout;
    cluster.follower = {
      reset: () => this.say({ type: 'reset' }),
      alive: () => this.say({ type: 'alive' }),
      event: (type, path, at) => this.event(type, path, at),
    };
  }

  /**
   * What befalls a node, or also all below it. A read that is asked for after subscribing is answered after everything
   * that happened before. Errors for what trying again does not mend.
   */
  watch$(path: string, recursive: boolean): Observable<WatchMessage> {
    return new Observable(subscriber => {
      subscriber.add(this.cluster.hold());
      const known = this.watches.get(path);
      const watch = known ?? { recursive, subscribers: new Set() };
      watch.subscribers.add(subscriber);
      this.watches.set(path, watch);
      subscriber.add(() => this.remove(path, watch, subscriber));
      if (this.lacking) return subscriber.next({ type: 'refused' });
      if (known !== undefined && (known.recursive || !recursive)) return;
      watch.recursive = recursive;
      this.add(path, watch);
    });
  }

  private add(path: string, watch: Watch): void {
    const { cluster, timeout } = this;
    cluster.trees.set(path, watch.recursive);
    cluster
      .call({ send: (connection, deadline) => connection.send(addWatch(path, watch.recursive), deadline), repeatable: true, timeout })
      .catch((error: unknown) => {
        if (isRefusal(error)) this.refuse();
        // What was not reached in time is set with the next connection; the silence until then is the feed's to tell.
        else if (!translated(error).transient) for (const subscriber of [...watch.subscribers]) subscriber.error(translated(error));
      });
  }

  private refuse(): void {
    if (this.lacking) return;
    this.lacking = true;
    this.cluster.trees.clear();
    this.say({ type: 'refused' });
  }

  private remove(path: string, watch: Watch, subscriber: Subscriber<WatchMessage>): void {
    watch.subscribers.delete(subscriber);
    if (watch.subscribers.size > 0 || this.watches.get(path) !== watch) return;
    this.watches.delete(path);
    if (!this.cluster.trees.delete(path)) return;
    const { cluster, timeout } = this;
    cluster
      .call({
        send: (connection, deadline) => connection.send(removeWatches(path, watchKind.any), deadline),
        repeatable: true,
        timeout,
      })
      // Gone with its connection, or with the store.
      .catch(() => undefined);
  }

  private say(message: WatchMessage): void {
    for (const { subscribers } of [...this.watches.values()]) for (const subscriber of [...subscribers]) subscriber.next(message);
  }

  private event(type: number, path: string, at: number): void {
    const message: WatchMessage = { type: 'event', path, happened: type, at };
    for (let above = path; ; above = parentOf(above)) {
      const watch = this.watches.get(above);
      if (watch !== undefined && (above === path || watch.recursive))
        for (const subscriber of [...watch.subscribers]) subscriber.next(message);
      if (above === '/') return;
    }
  }
}

function isRefusal(error: unknown): boolean {
  return isFault(error, code.unimplemented) || isFault(error, code.marshalling);
}
