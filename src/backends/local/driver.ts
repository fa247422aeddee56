/** The driver of local backends: opens the table when it is first needed, and keeps every call in time. */
import { defer, from, merge, type Observable, Subject, switchMap, throwError } from 'rxjs';
import type { Capabilities } from '../../capabilities.js';
import { aborted, Deadlines } from '../../deadline.js';
import type {
  Call,
  Driver,
  DriverContext,
  DriverTransaction,
  Feed,
  Health,
  Listing,
  ListQuery,
  Outcome,
  Range,
  Session,
} from '../../driver.js';
import { asKvError, KvError, type KvErrorDetail } from '../../errors.js';
import { Foreign } from '../../foreign.js';
import type { Logger } from '../../logger.js';
import { transact } from './commit.js';
import type { Draft, Step } from './draft.js';
import { Engine } from './engine.js';
import type { Gate } from './gate.js';
import { Keyspace } from './keyspace.js';
import { list } from './listing.js';
import type { Table } from './table.js';

export interface LocalOptions {
  readonly name: string;
  /** '' or what stands before every key, as it is. */
  readonly root: string;
  readonly capabilities: Capabilities;
  /** Opens the table. Called when it is first needed, and again at the next call after a failure. */
  readonly open: () => Promise<Table> | Table;
  /**
   * ms after which to look, at the latest, for what others have written that is due by now. Left out where the
   * table itself removes what is due.
   */
  readonly sweepEvery?: number;
  /** What stands between this driver and its table, if anything does. */
  readonly gate?: Gate;
}

/** A driver over a table. */
export function createLocalDriver(options: LocalOptions): Driver {
  return new LocalDriver(options);
}

class LocalDriver implements Driver {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly local: boolean = true;
  private readonly options: LocalOptions;
  private readonly gate: Gate | undefined;
  private readonly keyspace: Keyspace;
  private readonly deadlines: Deadlines = new Deadlines();
  private readonly reading: KvErrorDetail;
  private readonly writing: KvErrorDetail;
  private context: DriverContext | undefined;
  private engine: Engine | undefined;
  private opening: Promise<Engine> | undefined;
  private ended: Promise<void> | undefined;
  /** Writes that wait for the table to open: none that is asked for later may overtake them. */
  private waiting = 0;
  /** Errors `closed` at close. */
  private readonly closing$: Subject<never> = new Subject<never>();

  constructor(options: LocalOptions) {
    const { name, capabilities, root, gate } = options;
    this.options = options;
    this.name = name;
    this.capabilities = capabilities;
    this.gate = gate;
    this.reading = { backend: name };
    this.writing = { backend: name, outcome: 'unknown' };
    // The logger comes with the start.
    const warn: Logger['warn'] = (message, detail) => this.context?.logger.warn(message, detail);
    this.keyspace = new Keyspace(root, new Foreign(name, { warn }));
  }

  get native(): unknown {
    return this.engine?.table.native;
  }

  start(context: DriverContext): void {
    if (this.context !== undefined) throw new KvError('invalid', 'a driver belongs to one store, and this one has one', this.reading);
    this.context = context;
  }

  async ready(call: Call): Promise<Capabilities> {
    await this.reach(call, 'ready', engine => engine.table.view());
    return this.capabilities;
  }

  list(query: Range & ListQuery, call: Call): Promise<Listing> {
    const { engine } = this;
    if (engine === undefined || this.ended !== undefined || (this.gate !== undefined && this.gate.way !== 'open')) {
      return this.reach(call, 'list', reached => this.read(reached, query));
    }
    try {
      return Promise.resolve(this.read(engine, query));
    } catch (error) {
      return Promise.reject(asKvError(error, this.reading));
    }
  }

  commit(transaction: DriverTransaction, call: Call): Promise<Outcome> {
    if (call.signal?.aborted === true) return Promise.reject(aborted(call.signal, 'commit', this.reading));
    const step = (draft: Draft): Outcome => transact(draft, this.keyspace, transaction);
    if (this.ended === undefined && this.engine !== undefined && this.waiting === 0) return this.send(this.engine, step, call);
    return this.sendOnceOpen(step, call);
  }

  private async sendOnceOpen(step: Step<Outcome>, call: Call): Promise<Outcome> {
    let sent: Promise<Outcome>;
    this.waiting++;
    try {
      sent = this.send(await this.opened(call, 'commit'), step, call);
    } finally {
      this.waiting--;
    }
    return sent;
  }

  feed$(range: Range, since?: bigint): Observable<Feed> {
    const feed$ = (from?: bigint): Observable<Feed> => this.with$(engine => engine.hub.feed$(range, from));
    const { gate } = this;
    if (gate === undefined) return feed$(since);
    // A feed that waits for its gate to open is known to nobody else who could end it.
    return defer(() => merge(this.closing$, gate.feed$(feed$, this.started().silence, since)));
  }

  session$(ttl: number): Observable<Session> {
    return this.with$(engine => engine.sessions.session$(ttl));
  }

  /** `warnings` speaks of the records that were met so far: it does not read the whole table to find them. */
  async health(call: Call): Promise<Health> {
    const started = performance.now();
    const { warnings } = this.keyspace.foreign;
    try {
      await this.reach(call, 'health', engine => engine.table.view().row(this.keyspace.whole('health')));
      return { ok: true, latency: performance.now() - started, warnings };
    } catch (error) {
      return { ok: false, latency: performance.now() - started, warnings, error: asKvError(error, this.reading) };
    }
  }

  close(): Promise<void> {
    if (this.ended === undefined) {
      this.ended = this.end();
      this.deadlines.close();
      this.closing$.error(this.closedError());
    }
    return this.ended;
  }

  private async end(): Promise<void> {
    const { opening, context } = this;
    if (opening === undefined) return;
    const closed = opening.then(
      engine => engine.close(),
      () => undefined,
    );
    const { promise, cancel } = elapsed(context?.timeout ?? Infinity);
    try {
      await Promise.race([closed, promise]);
    } catch (error) {
      throw asKvError(error, this.reading);
    } finally {
      cancel();
    }
  }

  private read(engine: Engine, query: Range & ListQuery): Listing {
    return list(engine.table.view(), this.keyspace, query, engine.now);
  }

  /** A read by the long way: opens first, or waits where the gate is closed. */
  private async reach<T>(call: Call, what: string, read: (engine: Engine) => T): Promise<T> {
    if (call.signal?.aborted === true) throw aborted(call.signal, what, this.reading);
    const engine = await this.opened(call, what);
    const answer = async (): Promise<T> => read(engine);
    try {
      return await (this.gate === undefined
        ? answer()
        : this.gate.call(answer, wait => this.deadlines.race(wait, call, what, this.reading)));
    } catch (error) {
      throw asKvError(error, this.reading);
    }
  }

  /** Puts a step on its way to the table. */
  private send<R>(engine: Engine, step: Step<R>, call: Call): Promise<R> {
    const { gate, deadlines } = this;
    if (gate === undefined) {
      return engine.writer.write(step, (answer, giveUp) => deadlines.race(answer, call, 'commit', this.writing, giveUp));
    }
    const write = (admit: () => void): Promise<R> =>
      engine.writer.write(draft => {
        admit();
        return step(draft);
      });
    const wait = (answer: Promise<R>): Promise<R> => deadlines.race(answer, call, 'commit', this.writing);
    return call.signal === undefined ? gate.call(write, wait) : wait(gate.call(write, answer => answer));
  }

  private with$<T>(use$: (engine: Engine) => Observable<T>): Observable<T> {
    return defer(() => {
      if (this.ended !== undefined) return throwError(() => this.closedError());
      return this.engine !== undefined ? use$(this.engine) : from(this.opened(this.started(), 'open')).pipe(switchMap(use$));
    });
  }

  /** The engine, once its table is open; a failure to open it is tried anew at the next call. */
  private opened(call: Call, what: string): Promise<Engine> {
    if (this.ended !== undefined) return Promise.reject(this.closedError());
    if (this.engine !== undefined && this.waiting === 0) return Promise.resolve(this.engine);
    if (this.opening === undefined) {
      const opening = this.open();
      this.opening = opening;
      opening.catch(() => {
        this.opening = undefined;
      });
    }
    return this.deadlines.race(
      this.opening.then(engine => this.unlessClosed(engine)),
      call,
      what,
      this.reading,
    );
  }

  private async open(): Promise<Engine> {
    const context = this.started();
    const { name: backend, keyspace } = this;
    try {
      const table = await this.options.open();
      const send = <R>(engine: Engine, step: Step<R>): Promise<R> => this.send(engine, step, { timeout: context.timeout });
      const ending = (work: Promise<void>): void => context.ending(work);
      this.engine = new Engine(table, { backend, keyspace, sweepEvery: this.options.sweepEvery, send, ending });
      return this.engine;
    } catch (error) {
      throw asKvError(error, this.reading);
    }
  }

  /** close() may have been called while the table was being opened. */
  private unlessClosed(engine: Engine): Engine {
    if (this.ended !== undefined) throw this.closedError();
    return engine;
  }

  private started(): DriverContext {
    if (this.context === undefined) throw new KvError('internal', 'the driver was used before start()', this.reading);
    return this.context;
  }

  private closedError(): KvError {
    return new KvError('closed', 'the store is closed', this.reading);
  }
}

function elapsed(ms: number): { readonly promise: Promise<void>; readonly cancel: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const promise = new Promise<void>(resolve => {
    if (ms < 2 ** 31) timer = setTimeout(resolve, ms);
  });
  return { promise, cancel: () => clearTimeout(timer) };
}
