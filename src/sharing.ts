/**
 * Sharing: one source however many subscribers, kept by name while somebody is subscribed.
 *
 * Written without operators: a store may have thousands of these, and each operator in between is a kilobyte of each.
 */
import { Observable, type Observer, type Subscriber, Subscription } from 'rxjs';
import { after$ } from './delay.js';

export class Sharing {
  private readonly sources: Map<string, Shared<unknown>> = new Map();
  private closed = false;

  /** @param closed$ emits once at close, at once to later subscribers: every source completes */
  constructor(closed$: Observable<void>) {
    closed$.subscribe(() => {
      this.closed = true;
      for (const source of [...this.sources.values()]) source.complete();
    });
  }

  /**
   * The shared source of that name; `make` is asked once for as long as somebody is subscribed. A late
   * subscriber gets the last value at once. After an error the next subscription subscribes to the same source
   * again, so that it can go on from what it had.
   *
   * @param linger ms that the source outlives its last subscriber
   */
  of<T>(name: string, make: () => Observable<T>, linger = 0): Observable<T> {
    return new Observable<T>(subscriber => {
      if (this.closed) return subscriber.complete();
      let source = this.sources.get(name) as Shared<T> | undefined;
      if (source === undefined) {
        const made: Shared<T> = new Shared<T>(make(), linger, () => {
          if (this.sources.get(name) === made) this.sources.delete(name);
        });
        source = made;
        this.sources.set(name, source);
      }
      source.add(subscriber);
    });
  }
}

/** One source, which it observes, and those who are subscribed to it. */
class Shared<T> implements Observer<T> {
  private readonly source$: Observable<T>;
  private readonly linger: number;
  private readonly gone: () => void;
  private subscribers: Subscriber<T>[] = [];
  private connection: Subscription | undefined;
  private lingering: Subscription | undefined;
  /** The last value, once there is one. */
  private last: [T] | undefined;

  /** @param gone  told when it is no longer to be found */
  constructor(source$: Observable<T>, linger: number, gone: () => void) {
    this.source$ = source$;
    this.linger = linger;
    this.gone = gone;
  }

  add(subscriber: Subscriber<T>): void {
    this.lingering?.unsubscribe();
    this.subscribers.push(subscriber);
    subscriber.add(() => this.remove(subscriber));
    if (this.last !== undefined) subscriber.next(this.last[0]);
    if (this.connection === undefined && this.subscribers.length > 0) this.connect();
  }

  next(value: T): void {
    this.last = [value];
    const { subscribers } = this;
    // Whoever comes or goes meanwhile is no matter of this value.
    if (subscribers.length === 1) subscribers[0]?.next(value);
    else for (const subscriber of [...subscribers]) subscriber.next(value);
  }

  /** It stays to be found: who retries is to go on from what the source had. */
  error(error: unknown): void {
    const told = this.reset();
    for (const subscriber of told) subscriber.error(error);
  }

  complete(): void {
    const told = this.end();
    for (const subscriber of told) subscriber.complete();
  }

  private connect(): void {
    const connection = new Subscription();
    this.connection = connection;
    connection.add(this.source$.subscribe(this));
  }

  private remove(subscriber: Subscriber<T>): void {
    const at = this.subscribers.indexOf(subscriber);
    if (at === -1) return;
    this.subscribers.splice(at, 1);
    if (this.subscribers.length > 0 || this.connection === undefined) return;
    if (this.linger > 0) this.lingering = after$(this.linger).subscribe(() => this.end());
    else this.end();
  }

  private end(): readonly Subscriber<T>[] {
    this.gone();
    return this.reset();
  }

  /** As before the first subscriber; those who were are returned. */
  private reset(): readonly Subscriber<T>[] {
    const { subscribers, connection } = this;
    this.subscribers = [];
    this.connection = undefined;
    this.last = undefined;
    this.lingering?.unsubscribe();
    connection?.unsubscribe();
    return subscribers;
  }
}
