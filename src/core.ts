/** The core of one store: what the facade, its views and the recipes share. */
import { identity, Observable, ReplaySubject, type Subscriber, throwError, timeout } from 'rxjs';
import { Calls } from './calls.js';
import type { Capabilities } from './capabilities.js';
import { timeable } from './delay.js';
import type { Driver, Feed, Grant, Range, Session } from './driver.js';
import { Endings } from './ending.js';
import { asKvError, KvError } from './errors.js';
import type { Lock, StoreOptions } from './interface.js';
import { type Logger, silent } from './logger.js';
import { Passing } from './passing.js';
import { createQueue, type Queue } from './queue.js';
import { SharedWatches } from './shared.js';
import { Sharing } from './sharing.js';
import { heardWithin } from './silence.js';
import { StatusTracker } from './status.js';

export class Core {
  readonly driver: Driver;
  readonly timeout: number;
  readonly logger: Logger;
  readonly calls: Calls;
  readonly watches: SharedWatches;
  readonly sharing: Sharing;
  readonly queue: Queue;
  /** The driver's feed, never silent for too long. */
  readonly feed$: (range: Range, since?: bigint) => Observable<Feed>;
  readonly endings: Endings = new Endings();
  readonly status: StatusTracker = new StatusTracker();
  /** The locks of this store that users hold, and what the driver knows them as. */
  readonly grants: WeakMap<Lock, Grant> = new WeakMap();
  /** Emits once at close, at once to later subscribers. */
  readonly closed$: Observable<void>;
  /** As declared, or narrower after ready(). */
  capabilities: Capabilities;
  private readonly close$: ReplaySubject<void> = new ReplaySubject<void>(1);
  private ended: Promise<void> | undefined;

  constructor(driver: Driver, options: StoreOptions) {
    const silence = timeable(options.silence ?? 10_000);
    this.driver = driver;
    this.timeout = timeable(options.timeout ?? 5000);
    this.logger = options.logger ?? silent;
    this.capabilities = driver.capabilities;
    this.closed$ = this.close$.asObservable();
    this.calls = new Calls(driver.name, this.timeout, this.status);
    this.sharing = new Sharing(this.closed$);
    const heard = driver.local === true ? identity : heardWithin<Feed>(silence);
    this.feed$ = (range, since) => this.known$(() => heard(driver.feed$(range, since)));
    this.watches = new SharedWatches(this.feed$, this.sharing, this.status, options.linger ?? driver.linger ?? 0);
    this.queue = createQueue(driver, {
      feed$: this.feed$,
      sharing: this.sharing,
      timeout: this.timeout,
      ending: work => this.endings.add(work),
    });
    driver.start({ timeout: this.timeout, silence, logger: this.logger, ending: work => this.endings.add(work) });
  }

  get closed(): boolean {
    return this.ended !== undefined;
  }

  /** Completes every stream, drains the calls, ends what is held, closes the driver; within the timeout. */
  close(): Promise<void> {
    this.ended ??= this.end();
    return this.ended;
  }

  /** A session of the driver; errors `timeout` where there is none within `patience` ms. */
  session$(ttl: number, patience: number = this.timeout): Observable<Session> {
    const tooLate = (): KvError => new KvError('timeout', `no session within ${patience} ms`, { backend: this.driver.name });
    return this.driver.session$(ttl).pipe(timeout({ first: patience, with: () => throwError(tooLate) }));
  }

  /** What `make` gives at each subscription. A driver's error or a foreign one: users see a KvError. */
  known$<T>(make: () => Observable<T>): Observable<T> {
    return new Observable<T>(subscriber => {
      const known = new Known<T>(this.driver.name, subscriber);
      try {
        return make().subscribe(known);
      } catch (error) {
        return known.error(error);
      }
    });
  }

  /** A driver that throws has failed like one that rejects. */
  private async closeDriver(): Promise<void> {
    await this.driver.close();
  }

  private async end(): Promise<void> {
    const started = performance.now();
    const left = (): number => Math.max(0, this.timeout - (performance.now() - started));
    // Calls first: a view that completes may make the user's code call once more, and that must be refused.
    const drained = this.calls.close(this.timeout * 0.8);
    this.close$.next();
    this.close$.complete();
    await drained;
    await withinPatience(this.endings.all(), left() * 0.8);
    await withinPatience(
      this.closeDriver().catch((error: unknown) => this.logger.warn('the driver failed to close', { error: asKvError(error).code })),
      left(),
    );
    this.status.closed();
  }
}

class Known<T> extends Passing<T> {
  private readonly backend: string;

  constructor(backend: string, subscriber: Subscriber<T>) {
    super(subscriber);
    this.backend = backend;
  }

  next(value: T): void {
    this.subscriber.next(value);
  }

  override error(error: unknown): void {
    super.error(asKvError(error, { backend: this.backend }));
  }
}

/** Resolves with the work or when the patience (ms) is over. */
async function withinPatience(work: Promise<void>, patience: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([
    work,
    new Promise<void>(resolve => {
      timer = setTimeout(resolve, patience);
    }),
  ]);
  clearTimeout(timer);
}
