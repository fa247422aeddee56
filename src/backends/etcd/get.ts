/** Reads of single keys, those that come while one is under way in few transactions side by side. */
import { type Coalescer, coalesce } from '../../coalesce.js';
import type { Listing } from '../../driver.js';
import type { Consistency, Get } from '../../networked.js';
import { answersTo } from '../../running.js';
import type { Cluster } from './cluster.js';
import { backend, translated } from './errors.js';
import { entryOf, type Keyspace } from './keyspace.js';
import { portions } from '../../portions.js';
import { setImmediate as turn } from 'node:timers/promises';
import type { Header, Kv, RangeRequest } from './wire.js';

/** Ranges in one transaction: a server takes 128 operations at its defaults. */
const mostTogether = 120;
/** Transactions side by side: reads have no order among them. */
const mostAbreast = 10;

/** All with the same consistency: a transaction is linearizable as a whole, or not. */
export function createGets(cluster: Cluster, keyspace: Keyspace, consistency: Consistency): Coalescer<Get, Listing> {
  const reader = new Reader(cluster, keyspace, consistency);
  return coalesce<Get, Listing>({
    run: gets => answersTo(gets, backend, waiting => reader.abreast(waiting)),
    alone: get => reader.alone(get),
    most: mostTogether * mostAbreast,
    turn,
  });
}

class Reader {
  private readonly cluster: Cluster;
  private readonly keyspace: Keyspace;
  private readonly serializable: boolean;

  constructor(cluster: Cluster, keyspace: Keyspace, consistency: Consistency) {
    this.cluster = cluster;
    this.keyspace = keyspace;
    this.serializable = consistency === 'stale';
  }

  alone(get: Get): Promise<Listing> {
    const request = this.request(get);
    return this.cluster
      .call({ send: (client, sending) => client.range(request, sending), repeatable: true, timeout: get.timeout })
      .then(({ kvs, header }) => listingOf(get.key, kvs, header));
  }

  async abreast(gets: readonly Get[]): Promise<(Listing | Error)[]> {
    const transactions = [...portions(gets, () => 0, { bytes: Infinity, items: mostTogether })];
    return (await Promise.all(transactions.map(some => this.together(some)))).flat();
  }

  private async together(gets: readonly Get[]): Promise<(Listing | Error)[]> {
    const [only, second] = gets;
    if (only !== undefined && second === undefined) return [await this.alone(only)];
    const timeout = Math.max(...gets.map(get => get.timeout));
    const success = gets.map(get => ({ request_range: this.request(get) }));
    try {
      const { header, responses } = await this.cluster.call({
        send: (client, sending) => client.transact({ compare: [], success, failure: [] }, sending),
        repeatable: true,
        timeout,
      });
      return gets.map(({ key }, i) => {
        const answer = responses[i]?.response_range;
        return answer === undefined ? new Error('no answer') : listingOf(key, answer.kvs, header);
      });
    } catch (error) {
      const reason = translated(error);
      const { code, transient } = reason;
      if (transient || code === 'closed' || code === 'unsupported') return gets.map(() => reason);
      // One of them is refused, and the others are not to suffer for it.
      return Promise.all(gets.map(async get => this.alone(get).catch(translated)));
    }
  }

  private request({ key, values }: Get): RangeRequest {
    return { key: this.keyspace.key(key), keys_only: !values, serializable: this.serializable };
  }
}

function listingOf(key: string, kvs: readonly Kv[], header: Header): Listing {
  return { entries: kvs.map(kv => entryOf(kv, key)), revision: BigInt(header.revision) };
}
