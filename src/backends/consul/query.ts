/**
 * Queries: asking for a range, at once or as soon as it differs from what it was at an index.
 *
 * They can be given up at any moment, and the slot of one that blocks is free when the agent has let go of it.
 */
import type { Range } from '../../driver.js';
import type { Asking } from './client.js';
import type { Cluster } from './cluster.js';
import { isRefusedPath } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { Slots } from './slots.js';
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
  private readonly options: QueriesOptions;

  constructor(options: QueriesOptions) {
    this.options = options;
    this.wait = Math.max(10, Math.min(longestWait, Math.floor(options.silence * 0.75)));
  }

  /** What is there now. */
  async now(range: Range, query: Query, heard: () => void): Promise<Seen> {
    const path = this.options.keyspace.path(range);
    if (!this.options.keyspace.takesPath(path)) return this.around(range, path, this.names(path, query, heard), query, heard);
    try {
      const answer = await this.ask(requestOf(range, path), query, heard);
      return { pairs: pairsOf(answer), index: answer.index };
    } catch (error) {
      if (!isRefusedPath(error)) throw error;
      this.options.keyspace.refusesPath(path);
      return this.now(range, query, heard);
    }
  }

  /** The index of what is there now. */
  async index(range: Range, query: Query, heard: () => void): Promise<bigint> {
    return (await this.names(this.options.keyspace.path(range), query, heard)).index;
  }

  /** The names alone, as {@link later}. */
  moved(range: Range, index: bigint, query: Query, heard: () => void): Promise<Names> | undefined {
    return this.block(namesOf(this.options.keyspace.path(range)), index, query, heard)?.then(namesIn);
  }

  /** What is there when it is no longer as it was at the index, or after the wait; undefined where no slot is free. */
  later(range: Range, index: bigint, query: Query, heard: () => void): Promise<Seen> | undefined {
    const { keyspace } = this.options;
    const path = keyspace.path(range);
    if (!keyspace.takesPath(path)) {
      const names = this.block(namesOf(keyspace.above(path)), index, query, heard);
      return names && this.around(range, path, names, query, heard);
    }
    const answer = this.block(requestOf(range, path), index, query, heard);
    return answer?.then(told => ({ pairs: pairsOf(told), index: told.index }));
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

  private ask(request: Request, query: Query, heard: () => void): Promise<Answer> {
    const { cluster, timeout } = this.options;
    return cluster.query(request, { patience: timeout, blocking: false, heard }, query.started);
  }

  private block(request: Request, index: bigint, query: Query, heard: () => void): Promise<Answer> | undefined {
    const { cluster, most, silence } = this.options;
    const slot = Slots.of(cluster.host).take(most);
    if (slot === undefined) return undefined;
    const longest = (this.wait * 17) / 16;
    const sent = performance.now();
    const blocking = { ...request, query: { ...request.query, index: String(index), wait: `${this.wait}ms` } };
    const answer = cluster.query(blocking, { patience: (longest + silence) / 2, blocking: true, heard }, query.started);
    answer.then(
      () => slot.release(0),
      () => slot.release(longest + 100 - (performance.now() - sent)),
    );
    return answer;
  }

  /** Whether a query could block now. */
  get free(): boolean {
    const { cluster, most } = this.options;
    const slot = Slots.of(cluster.host).take(most);
    slot?.release(0);
    return slot !== undefined;
  }
}

function requestOf(range: Range, path: string): Request {
  return { method: 'GET', path: '/kv/{key}', key: path, query: 'key' in range ? {} : { recurse: '' } };
}
