/**
 * A server: one address or the master that sentinels name, and the connection to it that is in use.
 *
 * A read is asked again until its deadline. A write is sent again only when no server can have acted on it.
 */
import { Deadlines } from '../../deadline.js';
import { delay } from '../../delay.js';
import { KvError } from '../../errors.js';
import { closedError } from '../../running.js';
import { type Failure, isPassing, leavesTime } from '../../failure.js';
import type { Client, Reply } from './client.js';
import { backend, errorOf, failureOf } from './errors.js';

export interface Request<T> {
  readonly send: (client: Client) => Promise<T>;
  /** Whether sending it twice is the same as sending it once. */
  readonly repeatable: boolean;
  /** ms */
  readonly timeout: number;
  /** Not to be tried again here: another server may have what is asked for by then. */
  readonly once?: boolean;
  /** Concerns more than the keys that it names: of a slot that is on its way between two nodes neither has all. */
  readonly whole?: boolean;
  /** The caller gives up by itself, and tells so ({@link Server.suspect}): no clock is set here. */
  readonly timed?: boolean;
}

/** One that failed; not sent where `sent` is missing. */
interface Attempt {
  readonly error: unknown;
  readonly client: Client | undefined;
  /** `performance.now()` */
  readonly sent: number | undefined;
}

/** ms of a pause between two tries, growing with the time spent so far to the most. */
const firstPause = 25;
const longestPause = 500;
/** ms: a shorter silence says nothing of the connection. */
const tellingTimeout = 500;

export class Server {
  /** For people: host:port, or what was asked for. */
  host: string;
  private readonly open: () => Promise<Client>;
  private readonly deadlines: Deadlines = new Deadlines();
  private opening: Promise<Client> | undefined;
  private current: Client | undefined;
  private closed = false;

  /** @param open  makes one connection, or rejects with what ioredis or the server said */
  constructor(host: string, open: () => Promise<Client>) {
    this.host = host;
    this.open = open;
  }

  get native(): unknown {
    return this.current?.native;
  }

  /** The connection in use; a new one where there is none. Rejects with what ioredis or the server said. */
  client(): Promise<Client> {
    if (this.closed) return Promise.reject(closedError(backend));
    if (this.current !== undefined) return Promise.resolve(this.current);
    if (this.opening === undefined) {
      const opening = this.connect().finally(() => {
        this.opening = undefined;
      });
      this.opening = opening;
    }
    return this.opening;
  }

  /** A connection beside the one in use, for the caller alone. Rejects with what ioredis or the server said. */
  another(): Promise<Client> {
    return this.closed ? Promise.reject(closedError(backend)) : this.open();
  }

  /** @throws KvError; `outcome: 'unknown'` where it is not repeatable and may have been carried out */
  call<T = Reply>(request: Request<T>): Promise<T> {
    const client = this.current;
    const sent = performance.now();
    if (client === undefined) return this.tryAgain(request, sent);
    const answer = request.send(client);
    return (request.timed === true ? answer : this.inTime(answer, request.timeout)).catch((error: unknown) =>
      this.failing(request, sent, { error, client, sent }),
    );
  }

  private async tryAgain<T>(request: Request<T>, began: number): Promise<T> {
    const left = Math.max(0, Math.ceil(request.timeout - (performance.now() - began)));
    let client: Client | undefined;
    let sent: number | undefined;
    try {
      client = this.current ?? (await this.inTime(this.client(), left));
      sent = performance.now();
      return await this.inTime(request.send(client), Math.max(0, Math.ceil(request.timeout - (sent - began))));
    } catch (error) {
      return this.failing(request, began, { error, client, sent });
    }
  }

  private async failing<T>(request: Request<T>, began: number, { error, client, sent }: Attempt): Promise<T> {
    const { repeatable, timeout, once = false } = request;
    const failure = fateOf(error, sent !== undefined);
    if (client !== undefined) this.failed(client, failure);
    const spent = performance.now() - began;
    const pause = Math.min(longestPause, Math.max(firstPause, spent)) * (0.5 + Math.random() / 2);
    const again = isPassing(failure) && (repeatable || failure.fate !== 'unknown') && !once && !this.closed;
    if (again && leavesTime(timeout - spent, pause)) {
      await delay(pause);
      return this.tryAgain(request, began);
    }
    if (this.closed) throw closedError(backend);
    throw errorOf(failure, !repeatable && failure.fate === 'unknown' ? { outcome: 'unknown' } : {});
  }

  private inTime<T>(answer: Promise<T>, timeout: number): Promise<T> {
    return this.deadlines.race(answer, { timeout }, 'a request', { backend });
  }

  /** A call was not answered in time. Where nothing else is either, the connection hangs: it is of no use to anybody. */
  suspect(): void {
    const client = this.current;
    if (client !== undefined && client.overdue() >= tellingTimeout) this.drop(client);
  }

  /** Has no more to do with a connection; what is under way on it rejects. */
  drop(client: Client): void {
    if (this.current === client) this.current = undefined;
    client.close();
  }

  close(): void {
    this.closed = true;
    this.deadlines.close();
    this.current?.close();
    this.current = undefined;
    this.opening?.then(
      client => client.close(),
      () => undefined,
    );
  }

  private async connect(): Promise<Client> {
    const client = await this.open();
    if (this.closed) {
      client.close();
      throw closedError(backend);
    }
    this.host = client.host;
    this.current = client;
    void client.ended.then(() => {
      if (this.current === client) this.current = undefined;
    });
    return client;
  }

  private failed(client: Client, { code, cause }: Failure): void {
    // A master that was made a replica: there is another by now, or will be.
    if (cause instanceof Error && /^(?:READONLY|MASTERDOWN)/.test(cause.message)) this.drop(client);
    else if (code === 'timeout') this.suspect();
  }
}

/** What never left us cannot have been carried out, whatever failed. */
function fateOf(error: unknown, sent: boolean): Failure {
  const failure: Failure = KvError.is(error)
    ? { code: error.code, message: error.message, fate: 'unknown', cause: error.cause }
    : failureOf(error);
  return sent ? failure : { ...failure, fate: 'unsent' };
}
