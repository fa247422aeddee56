/**
 * Queries: asking for a range, at once or as soon as it differs from what it was at an index.
 *
 * They can be given up at any moment, and the slot of one that blocks is free when the agent has let go of it.
 */
import type { Range } from '../../driver.js';
import type { Asking } from './client.js';
import type { Cluster } from './cluster.js';
import type { Keyspace } from './keyspace.js';
import { Slots } from './slots.js';
import type { Answer, Request } from './wire.js';

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

/** What of a range is asked for: all of it, or the names of its first level. */
export type Aspect = 'whole' | 'names';

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
  now(range: Range, aspect: Aspect, query: Query, heard: () => void): Promise<Answer> {
    const { cluster, timeout } = this.options;
    return cluster.query(this.request(range, aspect), { patience: timeout, blocking: false, heard }, query.started);
  }

  /** What is there when it is no longer as it was at the index, or after the wait; undefined where no slot is free. */
  later(range: Range, aspect: Aspect, index: bigint, query: Query, heard: () => void): Promise<Answer> | undefined {
    const { cluster, most, silence } = this.options;
    const slot = Slots.of(cluster.host).take(most);
    if (slot === undefined) return undefined;
    const longest = (this.wait * 17) / 16;
    const sent = performance.now();
    const request = this.request(range, aspect, { index: String(index), wait: `${this.wait}ms` });
    const answer = cluster.query(request, { patience: (longest + silence) / 2, blocking: true, heard }, query.started);
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

  private request(range: Range, aspect: Aspect, more: Readonly<Record<string, string>> = {}): Request {
    const what: Record<string, string> = 'key' in range ? {} : aspect === 'whole' ? { recurse: '' } : { keys: '', separator: '/' };
    return { method: 'GET', path: '/kv/{key}', key: this.options.keyspace.path(range), query: { ...what, ...more } };
  }
}
