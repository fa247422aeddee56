/**
 * The driver of a backend over a network: connects when it is first used, and keeps every call in time.
 *
 * Where backends differ is in its parts, which are made when a store starts it.
 */
import type { Observable } from 'rxjs';
import type { Capabilities } from './capabilities.js';
import type {
  Call,
  Driver,
  DriverContext,
  DriverTransaction,
  Feed,
  Grant,
  Health,
  Holder,
  Listing,
  ListQuery,
  Outcome,
  Range,
  Session,
} from './driver.js';
import { KvError } from './errors.js';
import { type Abandonable, Running } from './running.js';

/** `strong` sees every write acknowledged before it; `stale` is what the server that is asked has. */
export type Consistency = 'strong' | 'stale';

/** What a caller waits for, until the part that answers gives it up or its time is over. */
export interface Request extends Abandonable {
  /** ms; for each round trip where it takes several */
  readonly timeout: number;
  /**
   * Set by the part that answers, before it returns, where what it does ends in time by itself or step by step: no clock is
   * set besides, and only the caller's signal is heeded.
   */
  selfTimed?: boolean;
}

/** A read of one key. */
export interface Get extends Request {
  readonly key: string;
  /** `false`: the value is not looked at and may be empty. */
  readonly values: boolean;
}

/** A transaction on its way. One that was given up before it was sent is not sent any more. */
export interface Write extends DriverTransaction, Request {}

/** All below a prefix. */
export type PrefixQuery = { readonly prefix: string } & ListQuery;

/** `timeout` is ms for each round trip. */
export interface ReadCall extends Call {
  readonly consistency: Consistency;
}

/** What a started driver is made of; each as {@link Driver} has it, and for a store that is open. */
export interface Parts {
  /** The client underneath; undefined before first use. */
  readonly native: unknown;
  /** @param timeout  ms */
  ready(timeout: number): Promise<Capabilities>;
  get(get: Get, consistency: Consistency): Promise<Listing>;
  list(query: PrefixQuery, call: ReadCall): Promise<Listing>;
  commit(write: Write): Promise<Outcome>;
  feed$(range: Range, since?: bigint): Observable<Feed>;
  session$(ttl: number): Observable<Session>;
  acquire$(session: Session, directory: string, value: Uint8Array<ArrayBuffer>, behind?: () => void): Observable<Grant>;
  holder$?(directory: string): Observable<Holder | undefined>;
  /** Never rejects. @param timeout  ms for each round trip */
  health(timeout: number): Promise<Health>;
  /** A get or a write was not answered in time. */
  overdue?(): void;
  close(): Promise<void> | void;
}

export interface NetworkedOptions {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** As of {@link Driver}. */
  readonly linger?: number;
  /** Whether the parts know `holder$`. */
  readonly tellsHolder?: boolean;
  /** No I/O yet. */
  readonly make: (context: DriverContext) => Parts;
}

/** A driver that has its parts made when it is started. */
export function createNetworkedDriver(options: NetworkedOptions): Driver {
  return new NetworkedDriver(options);
}

class NetworkedDriver implements Driver {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly linger?: number;
  readonly holder$?: (directory: string) => Observable<Holder | undefined>;
  private readonly make: NetworkedOptions['make'];
  private readonly running: Running<Parts>;

  constructor({ name, capabilities, linger, tellsHolder = false, make }: NetworkedOptions) {
    this.name = name;
    this.capabilities = capabilities;
    this.make = make;
    this.running = new Running(name);
    if (linger !== undefined) this.linger = linger;
    if (tellsHolder) this.holder$ = directory => this.running.live$(parts => (parts as Required<Parts>).holder$(directory));
  }

  get native(): unknown {
    return this.running.parts?.native;
  }

  start(context: DriverContext): void {
    this.running.start(() => this.make(context));
  }

  ready(call: Call): Promise<Capabilities> {
    return this.running.call(call, 'ready', parts => this.running.read(parts.ready(call.timeout), call, 'ready'));
  }

  list(query: Range & ListQuery, call: ReadCall): Promise<Listing> {
    return this.running.call(call, 'list', parts => {
      if ('prefix' in query) return this.running.read(parts.list(query, call), untimed(call), 'list');
      const { timeout, consistency } = call;
      const get: Get = { key: query.key, values: query.values !== false, timeout, abandoned: false, selfTimed: false };
      return this.inTime(parts, get, parts.get(get, consistency), call, 'get');
    });
  }

  commit({ checks, ops }: DriverTransaction, call: Call): Promise<Outcome> {
    return this.running.call(call, 'commit', parts => {
      const write: Write = { checks, ops, timeout: call.timeout, abandoned: false, selfTimed: false };
      return this.inTime(parts, write, parts.commit(write), call, 'commit');
    });
  }

  feed$(range: Range, since?: bigint): Observable<Feed> {
    return this.running.live$(parts => parts.feed$(range, since));
  }

  session$(ttl: number): Observable<Session> {
    return this.running.live$(parts => parts.session$(ttl));
  }

  acquire$(session: Session, directory: string, value: Uint8Array<ArrayBuffer>, behind?: () => void): Observable<Grant> {
    return this.running.live$(parts => parts.acquire$(session, directory, value, behind));
  }

  health(call: Call): Promise<Health> {
    return this.running.call(call, 'health', parts => this.running.read(parts.health(call.timeout), untimed(call), 'health'));
  }

  async close(): Promise<void> {
    await this.running.close()?.close();
  }

  /** Settles as the answer does, in time. Where that is so by itself, no promise is added: it is the way of most calls. */
  private inTime<T>(parts: Parts, request: Request, answer: Promise<T>, call: Call, what: 'get' | 'commit'): Promise<T> {
    const { selfTimed = false } = request;
    const follows = !selfTimed || call.signal !== undefined;
    const settled = follows ? this.running.follow(request, answer, selfTimed ? untimed(call) : call, what) : answer;
    if (parts.overdue === undefined) return settled;
    return settled.catch((error: unknown) => {
      if (KvError.is(error) && error.code === 'timeout') parts.overdue?.();
      throw error;
    });
  }
}

/** Each step is kept in time by itself; only the signal ends the whole. */
function untimed({ signal }: Call): Call {
  return signal === undefined ? { timeout: Infinity } : { timeout: Infinity, signal };
}
