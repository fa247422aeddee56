/**
 * A cluster: its members, the one in use, and the change to another when that one fails.
 *
 * A read is asked again, of another member and then of all of them again, until its deadline. A write is sent again
 * only when no server can have seen it.
 */
import { Deadlines } from '../../deadline.js';
import { delay } from '../../delay.js';
import { KvError } from '../../errors.js';
import { closedError } from '../../running.js';
import { type Failure, isPassing, leavesTime } from '../../failure.js';
import { type Client, openClient } from './client.js';
import { backend, errorOf, failureOf, isTokenRefused } from './errors.js';
import type { Settings } from './options.js';
import { Sending } from './sending.js';

export interface Request<T> {
  readonly send: (client: Client, sending: Sending) => Promise<T>;
  /** Whether sending it twice is the same as sending it once. */
  readonly repeatable: boolean;
  /** ms */
  readonly timeout: number;
}

/** ms of a pause once every member has failed, growing to the most. */
const firstPause = 25;
const longestPause = 500;
/** ms: a shorter deadline says nothing of the connection. */
const tellingTimeout = 500;

export class Cluster {
  private readonly settings: Settings;
  private readonly patience: number;
  private hosts: readonly string[];
  private at: number;
  private readonly clients: Map<string, Promise<Client>> = new Map();
  private readonly deadlines: Deadlines = new Deadlines();
  private readonly name: string = Math.random().toString(36).slice(2, 8);
  private generations = 0;
  private current: Client | undefined;
  private closed = false;

  /** @param patience  ms that a login may take */
  constructor(settings: Settings, patience: number) {
    this.settings = settings;
    this.patience = patience;
    this.hosts = settings.hosts;
    // Stores that are started together spread over the members.
    this.at = Math.floor(Math.random() * this.hosts.length);
  }

  get native(): unknown {
    return this.current?.native;
  }

  get host(): string {
    return this.hosts[this.at % this.hosts.length] as string;
  }

  /** The member in use. */
  async client(): Promise<Client> {
    if (this.closed) throw closedError(backend);
    if (this.current !== undefined) return this.current;
    const { host } = this;
    let opening = this.clients.get(host);
    if (opening === undefined) {
      opening = openClient(this.settings, host, `${this.name}-${++this.generations}`, this.patience);
      if (this.settings.members) this.learn(opening);
      this.clients.set(host, opening);
      opening.catch(() => this.clients.delete(host));
    }
    const client = await opening;
    if (this.closed) throw closedError(backend);
    if (this.host === host) this.current = client;
    return client;
  }

  /** @throws KvError; `outcome: 'unknown'` where it is not repeatable and may have been carried out */
  call<T>(request: Request<T>): Promise<T> {
    const sending = new Sending();
    const inTime = this.deadlines.enter(request.timeout, () => sending.cancel());
    const answer = this.attempts(request, sending);
    answer.then(inTime, inTime);
    return answer;
  }

  private async attempts<T>({ send, repeatable, timeout }: Request<T>, sending: Sending): Promise<T> {
    const began = performance.now();
    let loggedOut = false;
    for (let attempt = 1; ; attempt++) {
      const client = this.current ?? (await this.client());
      const sent = performance.now();
      try {
        return await send(client, sending);
      } catch (error) {
        if (KvError.is(error)) throw error;
        const failure = failureOf(error);
        // Once: etcd does nothing with a token that is older than the rights of its users are.
        if (!loggedOut && isTokenRefused(error)) {
          loggedOut = true;
          client.logout();
          continue;
        }
        this.failed(client, failure, timeout >= tellingTimeout && client.heardAt < sent);
        const again = isPassing(failure) && (repeatable || failure.fate === 'unsent') && !this.closed;
        const pause = attempt < this.hosts.length ? 0 : Math.min(longestPause, firstPause * 2 ** (attempt - this.hosts.length));
        if (!again || !leavesTime(began + timeout - performance.now(), pause))
          throw errorOf(
            failure.code === 'timeout' ? { ...failure, message: `no answer within ${timeout} ms` } : failure,
            !repeatable && failure.fate === 'unknown' ? { outcome: 'unknown' } : {},
          );
        if (pause > 0) await delay(pause);
      }
    }
  }

  /**
   * Takes note that a member failed, and turns to the next one.
   *
   * @param silent  whether nothing at all was heard of it in that time: then its connection hangs
   */
  failed(client: Client, failure: Failure, silent: boolean): void {
    if (failure.code === 'timeout' && silent) this.drop(client);
    else if (failure.code === 'unavailable' && client === this.current && this.hosts.length > 1) this.turn();
  }

  /** Has no more to do with a connection that hangs; what is under way on it goes on until it is called off. */
  drop(client: Client): void {
    if (client !== this.current) return;
    this.clients.delete(client.host);
    client.close();
    this.turn();
  }

  close(): void {
    this.closed = true;
    for (const opening of this.clients.values())
      opening.then(
        client => client.close(),
        () => undefined,
      );
    this.clients.clear();
    this.deadlines.expireAll();
    this.deadlines.close();
  }

  /** Asks a member for all of them, and uses those that are no host of ours, too. One that fails to tell is no error. */
  private learn(opening: Promise<Client>): void {
    opening
      .then(() => this.call({ send: (client, sending) => client.members(sending), repeatable: true, timeout: this.patience }))
      .then(({ members }) => {
        const learnt = members.flatMap(({ clientURLs }) => clientURLs.map(url => url.replace(/^https?:\/\//, '')));
        // Ours come first, so that the one in use keeps its place.
        this.hosts = [...new Set([...this.settings.hosts, ...this.hosts, ...learnt])];
      })
      .catch(() => undefined);
  }

  private turn(): void {
    this.current = undefined;
    this.at = (this.at + 1) % this.hosts.length;
  }
}
