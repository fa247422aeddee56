/** A whole driver in a page, of a server that is a Map. docs/writing-a-driver.md walks through it. */
import { defer, filter, interval, map, merge, Observable, of, Subject } from 'rxjs';
import {
  type Capabilities,
  type Change,
  checkOptions,
  type Driver,
  type DriverCheck,
  type DriverContext,
  type DriverOp,
  type Entry,
  type FailedCheck,
  type Feed,
  type Health,
  keep$,
  KvError,
  Lease,
  type Listing,
  type ListQuery,
  normaliseDirectory,
  type OpResult,
  type Outcome,
  type Range,
  reserved,
  type Session,
} from 'rxkv/driver';
import { MapServer } from './map-server.js';

/** What this backend promises. The suite holds it to every line, so when in doubt declare less. */
const capabilities: Capabilities = {
  atomic: 'range',
  consistentList: true,
  strongReads: 'linearizable',
  compareAndSet: 'exact',
  locks: 'strict',
  fair: true,
  // It keeps no history: after a cut it says everything anew, and the store reconciles that.
  resumes: false,
  ttlBoundTo: 'server',
  minTtl: 10,
  // A timer counts in 32 bits.
  maxTtl: 2 ** 31 - 2,
  ttlLag: 1000,
  maxKey: 1024,
  maxValue: Infinity,
  maxTransaction: Infinity,
  maxOps: Infinity,
};

export interface MapOptions {
  /** A directory that all keys are under. None by default. */
  readonly root?: string;
  /** To share with other drivers; one of its own by default. */
  readonly server?: MapServer;
}

/** A factory returns at once, connects when first used, and throws for what it does not know. */
export function mapDriver(options: MapOptions = {}): Driver {
  checkOptions(options, ['root', 'server'], 'mapDriver()');
  return new MapDriver(options.server ?? new MapServer(), normaliseDirectory(options.root ?? ''));
}

class MapDriver implements Driver {
  readonly name: string = 'map';
  readonly capabilities: Capabilities = capabilities;
  private readonly server: MapServer;
  /** '' or ending in '/'. */
  private readonly root: string;
  private context: Pick<DriverContext, 'silence' | 'ending'> = { silence: 10_000, ending: () => {} };
  /** Errors at close, and whoever subscribes later at once. */
  private readonly closed$: Subject<never> = new Subject();

  constructor(server: MapServer, root: string) {
    this.server = server;
    this.root = root;
  }

  start(context: DriverContext): void {
    this.context = context;
  }

  async ready(): Promise<Capabilities> {
    this.assertOpen();
    return this.capabilities;
  }

  async list(query: Range & ListQuery): Promise<Listing> {
    this.assertOpen();
    const entries = this.entries(query);
    const { revision } = this.server;
    if ('key' in query || query.depth === undefined) return { entries, revision };
    const { prefix, depth } = query;
    const segments = (key: string): string[] => key.slice(prefix.length).split('/');
    const deeper = entries.filter(({ key }) => segments(key).length > depth);
    const directories = new Set(deeper.map(({ key }) => prefix + segments(key).slice(0, depth).join('/')));
    return { entries: entries.filter(entry => !deeper.includes(entry)), directories: [...directories], revision };
  }

  async commit({ checks, ops }: { readonly checks: readonly DriverCheck[]; readonly ops: readonly DriverOp[] }): Promise<Outcome> {
    // Whoever is being told may write at once, and all must have been told of the last transaction before the next.
    await Promise.resolve();
    this.assertOpen();
    const failed = checks.flatMap(check => this.failure(check));
    if (failed.length > 0) return { ok: false, failed };
    for (const op of ops) {
      if ('put' in op && op.session !== undefined && !this.server.alive(op.session.id))
        throw new KvError('session-lost', 'the session that the key is bound to has ended', { backend: this.name });
    }
    return { ok: true, results: this.server.transact(revision => ops.map(op => this.apply(op, revision))) };
  }

  feed$(range: Range): Observable<Feed> {
    const patch$ = this.server.touched$.pipe(
      map(keys => this.changes(range, keys)),
      filter(changes => changes.length > 0),
      map((changes): Feed => ({ type: 'patch', changes, revision: this.server.revision })),
    );
    // A sign of life, well within the silence. Here it also keeps the process alive, as a socket would.
    const mark$ = defer(() => interval(Math.min(this.context.silence / 3, 60_000))).pipe(map((): Feed => ({ type: 'mark' })));
    const reset$ = defer(() => of<Feed>({ type: 'reset', entries: this.entries(range), revision: this.server.revision }));
    // First it listens, then it reads: nothing falls in between.
    return merge(this.closed$, patch$, mark$, reset$);
  }

  session$(ttl: number): Observable<Session> {
    return new Observable<Session>(subscriber => {
      const id = crypto.randomUUID();
      // Counts from now, which is before the server does.
      const lease = new Lease(ttl);
      this.server.renew(id, ttl);
      subscriber.add(() => this.context.ending(this.end(id)));
      const kept$ = keep$({ lease, renew: async () => this.renew(id, ttl) });
      subscriber.add(merge(this.closed$, kept$, of({ id, ttl, remaining: () => lease.remaining() })).subscribe(subscriber));
    });
  }

  async health(): Promise<Health> {
    const open = !this.closed$.hasError;
    return { ok: open, latency: 0, warnings: [] };
  }

  async close(): Promise<void> {
    this.closed$.error(new KvError('closed', 'the store is closed', { backend: this.name }));
  }

  private failure(check: DriverCheck): FailedCheck[] {
    if ('held' in check) return this.entry(check.held.key)?.created === check.held.fence ? [] : [{ key: check.held.key }];
    const current = this.entry(check.key);
    return current?.revision === check.entry?.revision ? [] : [{ key: check.key, current }];
  }

  private apply(op: DriverOp, revision: bigint): OpResult {
    if ('put' in op) {
      this.server.put(this.root + op.put, op, revision);
      return { entry: this.entry(op.put) };
    }
    if ('delete' in op) return { existed: this.server.remove(this.root + op.delete) };
    const entries = this.entries({ prefix: op.deletePrefix });
    for (const { key } of entries) this.server.remove(this.root + key);
    return { existed: entries.length > 0 };
  }

  /** What became of the keys that concern a range, as they are now. */
  private changes(range: Range, keys: readonly string[]): Change[] {
    return this.relative(keys, range).map(key => {
      const put = this.entry(key);
      return put === undefined ? { delete: key } : { put };
    });
  }

  private entries(range: Range): Entry[] {
    const keys = 'key' in range ? [this.root + range.key] : [...this.server.rows.keys()];
    return this.relative(keys, range).flatMap(key => this.entry(key) ?? []);
  }

  private entry(key: string): Entry | undefined {
    const row = this.server.rows.get(this.root + key);
    if (row === undefined) return undefined;
    const { value, revision, created, session, expiry } = row;
    return { key, value, revision, created, leased: session !== undefined || expiry !== undefined };
  }

  /** Whole keys that lie in a range, below the root. The store's own records are seen from inside only. */
  private relative(keys: readonly string[], range: Range): string[] {
    const below = keys.filter(key => key.startsWith(this.root)).map(key => key.slice(this.root.length));
    if ('key' in range) return below.filter(key => key === range.key);
    const { prefix } = range;
    return below.filter(key => key.startsWith(prefix) && (prefix !== '' || !key.startsWith(`${reserved}/`)));
  }

  private async renew(session: string, ttl: number): Promise<void> {
    if (!this.server.alive(session)) throw new KvError('session-lost', 'the session has ended', { backend: this.name });
    this.server.renew(session, ttl);
  }

  private async end(session: string): Promise<void> {
    // Unsubscribing happens inside of notifications too: see commit().
    await Promise.resolve();
    this.server.end(session);
  }

  private assertOpen(): void {
    if (this.closed$.hasError) throw new KvError('closed', 'the store is closed', { backend: this.name });
  }
}
