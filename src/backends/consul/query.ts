/**
 * Queries: asking for a range, at once or as soon as it differs from what it was at an index.
 *
 * They can be given up at any moment. One that blocks needs a slot.
 */
import type { Range } from '../../driver.js';
import type { Asking } from './client.js';
import type { Cluster } from './cluster.js';
import { isRefusedPath } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { type Slot, Slots } from './slots.js';
import { type Answer, type Names, namesIn, namesOf, pairsOf, type Request, type Seen, txnBody, txnPairs } from './wire.js';

export interface QueriesOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  /** Queries that may block at once. */
  readonly most: number;
  /** ms for one round trip */
  readonly timeout: number;
  /** ms that a feed may say nothing */
  readonly silence: number;
}

/** A query that can be given up. */
export class Query {
  private asking: Asking | undefined;
  private given = false;

  /** Takes note of what is under way. */
  readonly started = (asking: Asking): void => {
    this.asking = asking;
    if (this.given) asking.cancel();
  };

  cancel(): void {
    this.given = true;
    this.asking?.cancel();
  }
}

/** ms: with a longer wait a server's restored snapshot or stopped leader would show too late. */
const longestWait = 8000;

export class Queries {
  /** ms that a query blocks at most, but for what the agent adds: up to 1/16. */
  readonly wait: number;
  /** ms after which an agent has let go of a query at the latest. */
  readonly longest: number;
  private readonly options: QueriesOptions;

  constructor(options: QueriesOptions) {
    this.options = options;
    this.wait = Math.max(10, Math.min(longestWait, Math.floor(options.silence * 0.75)));
    // 17/16: Consul adds up to 1/16 of jitter to every wait.
    this.longest = (this.wait * 17) / 16 + 100;
  }

  /** What is there now. */
  async now(range: Range, query: Query, heard: () => void): Promise<Seen> {
    const { keyspace } = this.options;
    const path = keyspace.path(range);
    const taken = keyspace.takesPath(path);
    try {
      if (!taken) return await this.around(range, path, this.names(path, query, heard), query, heard);
      const answer = await this.ask(requestOf(range, path), query, heard);
      return { pairs: pairsOf(answer), index: answer.index };
    } catch (error) {
      const asked = taken ? path : keyspace.above(path);
      if (!isRefusedPath(error) || asked === keyspace.root) throw error;
      keyspace.refusesPath(asked);
      return this.now(range, query, heard);
    }
  }

  /** The index of what is there now. */
  async index(range: Range, query: Query, heard: () => void): Promise<bigint> {
    return (await this.names(this.options.keyspace.path(range), query, heard)).index;
  }

  /** The names alone, as {@link later}. */
  async moved(range: Range, index: bigint, query: Query, heard: () => void): Promise<Names> {
    return namesIn(await this.block(namesOf(this.options.keyspace.path(range)), index, query, heard));
  }

  /** What is there when it is no longer as it was at the index, or after the wait. Needs a slot. */
  async later(range: Range, index: bigint, query: Query, heard: () => void): Promise<Seen> {
    const { keyspace } = this.options;
    const path = keyspace.path(range);
    if (!keyspace.takesPath(path)) {
      const names = this.block(namesOf(keyspace.above(path)), index, query, heard);
      return this.around(range, path, names, query, heard);
    }
    const answer = await this.block(requestOf(range, path), index, query, heard);
    return { pairs: pairsOf(answer), index: answer.index };
  }

  /** Leave to block; undefined where there is none. */
  slot(): Slot | undefined {
    const { cluster, most } = this.options;
    return Slots.of(cluster.host).take(most);
  }

  /** A range that no URL takes: read by a transaction once what is above it has told its index. */
  private async around(range: Range, path: string, names: Promise<Answer>, query: Query, heard: () => void): Promise<Seen> {
    const { index } = await names;
    const body = txnBody([{ verb: 'key' in range ? 'get' : 'get-tree', key: path }], this.options.cluster.place);
    return { pairs: txnPairs(await this.ask({ method: 'PUT', path: '/txn', body }, query, heard)), index };
  }

  private names(path: string, query: Query, heard: () => void): Promise<Answer> {
    const { keyspace } = this.options;
    return this.ask(namesOf(keyspace.takesPath(path) ? path : keyspace.above(path)), query, heard);
  }

  /** Of a leader that has all that was acknowledged: one that was just elected may still be behind. */
  private ask(request: Request, query: Query, heard: () => void): Promise<Answer> {
    const { cluster, timeout } = this.options;
    const consistent = { ...request, query: { ...request.query, consistent: '' } };
    return cluster.query(consistent, { patience: timeout, blocking: false, heard }, query.started);
  }

  private block(request: Request, index: bigint, query: Query, heard: () => void): Promise<Answer> {
    const { cluster, silence } = this.options;
    const blocking = { ...request, query: { ...request.query, index: String(index), wait: `${this.wait}ms` } };
    const patience = (this.longest + silence) / 2;
    return cluster.query(blocking, { patience, blocking: true, heard }, query.started);
  }
}

function requestOf(range: Range, path: string): Request {
  return { method: 'GET', path: '/kv/{key}', key: path, query: 'key' in range ? {} : { recurse: '' } };
}
