/**
 * A cluster: its agents, the one in use, and the change to another when that one fails.
 *
 * A read is asked again, of another agent and then of all of them again, until its deadline. A write is sent again only
 * where no server has carried it out.
 */
import { Deadlines } from '../../deadline.js';
import { delay } from '../../delay.js';
import { KvError } from '../../errors.js';
import { closedError } from '../../running.js';
import { type Failure, isPassing, leavesTime } from '../../failure.js';
import { type Asking, type Client, openClient } from './client.js';
import { backend, errorOf, failureOf, isUnknownToken, noLeaderError } from './errors.js';
import type { Settings } from './options.js';
import { Tokens } from './token.js';
import type { Answer, Place, Request } from './wire.js';

export interface CallOptions {
  /** Whether sending it twice is the same as sending it once. */
  readonly repeatable: boolean;
  /** ms */
  readonly timeout: number;
}

export interface QueryOptions {
  /** ms without any sign of an answer, counted anew from each part of it */
  readonly patience: number;
  /** On a socket of its own. */
  readonly blocking: boolean;
  /** Called with each part of an answer. */
  readonly heard: () => void;
}

/** ms of a pause once every agent has failed, growing to the most. */
const firstPause = 25;
const longestPause = 500;
/** Needs no token. */
const leader: Request = { method: 'GET', path: '/status/leader' };
/** ms */
const leaderPatience = 1000;

export class Cluster {
  readonly place: Place;
  private readonly settings: Settings;
  private readonly tokens: Tokens;
  /** What goes with each request. */
  private readonly everywhere: Readonly<Record<string, string>> | undefined;
  private at: number;
  private readonly clients: Map<string, Promise<Client>> = new Map();
  private current: Client | undefined;
  private readonly deadlines: Deadlines = new Deadlines();
  private closed = false;

  constructor(settings: Settings) {
    const { datacenter, namespace, partition } = settings;
    this.settings = settings;
    this.place = { namespace, partition };
    this.tokens = new Tokens(settings.auth);
    const everywhere = Object.entries({ dc: datacenter, ns: namespace, partition }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    );
    this.everywhere = everywhere.length === 0 ? undefined : Object.fromEntries(everywhere);
    // Stores that are started together spread over the agents.
    this.at = Math.floor(Math.random() * settings.hosts.length);
  }

  get native(): unknown {
    return this.current?.native;
  }

  get host(): string {
    return this.settings.hosts[this.at % this.settings.hosts.length] as string;
  }

  /** Whether a call is in time by itself. */
  get inTime(): boolean {
    return !this.tokens.provided;
  }

  /** @throws KvError; `outcome: 'unknown'` where it is not repeatable and may have been carried out */
  async call(request: Request, { repeatable, timeout }: CallOptions): Promise<Answer> {
    const deadline = performance.now() + timeout;
    const { hosts } = this.settings;
    for (let attempt = 1; ; attempt++) {
      const client = this.current ?? (await this.client());
      try {
        // Whole ms: Node keeps a list of timers for each other delay.
        const patience = Math.max(1, Math.ceil(deadline - performance.now()));
        return await this.authorised(client, patience, token => client.call(this.placed(request), { token, patience }).answer);
      } catch (error) {
        if (KvError.is(error)) throw error;
        const failure = failureOf(error);
        this.failed(client, failure);
        const again = isPassing(failure) && (repeatable || failure.fate !== 'unknown') && !this.closed;
        const pause = attempt < hosts.length ? 0 : Math.min(longestPause, firstPause * 2 ** (attempt - hosts.length));
        if (!again || !leavesTime(deadline - performance.now(), pause)) throw this.told(failure, repeatable);
        if (pause > 0) await delay(pause);
      }
    }
  }

  /** Asks once, as long as it takes; errors with what the client says, untranslated. */
  async query(request: Request, { patience, blocking, heard }: QueryOptions, started: (asking: Asking) => void): Promise<Answer> {
    const client = this.current ?? (await this.client());
    try {
      return await this.authorised(client, patience, token => {
        const placed = this.placed(request);
        const asking = blocking ? client.block(placed, { token, patience, heard }) : client.call(placed, { token, patience, heard });
        started(asking);
        return asking.answer;
      });
    } catch (error) {
      if (!KvError.is(error)) this.failed(client, failureOf(error));
      throw error;
    }
  }

  close(): void {
    this.closed = true;
    this.deadlines.close();
    // What ends after this asks no more: a client that was closed takes requests like any other.
    this.current = undefined;
    for (const opening of this.clients.values())
      opening.then(
        client => client.close(),
        () => undefined,
      );
    this.clients.clear();
  }

  private async client(): Promise<Client> {
    if (this.closed) throw closedError(backend);
    const { host } = this;
    let opening = this.clients.get(host);
    if (opening === undefined) {
      opening = openClient(this.settings, host);
      this.clients.set(host, opening);
      opening.catch(() => this.clients.delete(host));
    }
    const client = await opening;
    if (this.closed) throw closedError(backend);
    if (this.host === host) this.current = client;
    return client;
  }

  /** With the token in use, and once more with another where that one is refused and there is another. */
  private async authorised(client: Client, patience: number, send: (token: string | undefined) => Promise<Answer>): Promise<Answer> {
    const current = this.tokens.current();
    const token = typeof current === 'object' ? await this.inPatience(current, patience) : current;
    try {
      return await this.known(client, () => send(token));
    } catch (error) {
      if (KvError.is(error) || failureOf(error).code !== 'denied' || failureOf(error).fate !== 'refused') throw error;
      if (!(await this.inPatience(this.tokens.renewed(token), patience))) throw error;
      const another = await this.tokens.current();
      return await this.known(client, () => send(another));
    }
  }

  /** Who provides a token takes the time that he likes. */
  private inPatience<T>(answer: Promise<T>, timeout: number): Promise<T> {
    return this.deadlines.race(answer, { timeout }, 'auth.token of consul()', { backend });
  }

  /** A server that has just started knows no token until there is a leader, and that is no refusal. */
  private async known(client: Client, send: () => Promise<Answer>): Promise<Answer> {
    try {
      return await send();
    } catch (error) {
      if (!isUnknownToken(error)) throw error;
      const { body } = await client.call(leader, { token: undefined, patience: leaderPatience }).answer;
      if (body.toString() === '""') throw noLeaderError();
      // It may have got one in between.
      return send();
    }
  }

  private placed(request: Request): Request {
    return this.everywhere === undefined ? request : { ...request, query: { ...request.query, ...this.everywhere } };
  }

  /** Turns to the next agent. What is under way on the one that failed goes on to its deadline. */
  private failed(client: Client, failure: Failure): void {
    if (!isPassing(failure) || client !== this.current || this.settings.hosts.length === 1) return;
    this.current = undefined;
    this.at = (this.at + 1) % this.settings.hosts.length;
  }

  private told(failure: Failure, repeatable: boolean): KvError {
    if (this.closed) return closedError(backend);
    return errorOf(failure, !repeatable && failure.fate === 'unknown' ? { outcome: 'unknown' } : {});
  }
}
