/** Reads of single keys, those that come while one is under way in few transactions side by side. */
import { type Coalescer, coalesce } from '../../coalesce.js';
import type { Abandonable } from '../../running.js';
import type { Cluster } from './cluster.js';
import { translated } from './errors.js';
import { portions } from '../../portions.js';
import { setImmediate as turn } from 'node:timers/promises';
import type { RangeRequest, RangeResponse } from './wire.js';

export interface Get extends Abandonable {
  readonly request: RangeRequest;
  /** ms */
  readonly timeout: number;
}

/** Ranges in one transaction: a server takes 128 operations at its defaults. */
const mostTogether = 120;
/** Transactions side by side: reads have no order among them. */
const mostAbreast = 10;

/** All with the same consistency: a transaction is linearizable as a whole, or not. */
export function createGets(cluster: Cluster): Coalescer<Get, RangeResponse> {
  return coalesce<Get, RangeResponse>({
    run: gets => run(cluster, gets),
    alone: get => alone(cluster, get),
    most: mostTogether * mostAbreast,
    turn,
  });
}

function alone(cluster: Cluster, { request, timeout }: Get): Promise<RangeResponse> {
  return cluster.call({ send: (client, sending) => client.range(request, sending), repeatable: true, timeout });
}

async function run(cluster: Cluster, gets: readonly Get[]): Promise<(RangeResponse | Error)[]> {
  const wanted = gets.filter(get => !get.abandoned);
  const transactions = [...portions(wanted, () => 0, { bytes: Infinity, items: mostTogether })];
  const answers = (await Promise.all(transactions.map(some => ask(cluster, some)))).flat();
  let next = 0;
  // Those that were given up have been told so already.
  return gets.map(get => (get === wanted[next] ? (answers[next++] as RangeResponse | Error) : new Error('given up')));
}

async function ask(cluster: Cluster, gets: readonly Get[]): Promise<(RangeResponse | Error)[]> {
  const [first] = gets;
  if (first === undefined) return [];
  if (gets.length === 1) return [await alone(cluster, first)];
  const timeout = Math.max(...gets.map(get => get.timeout));
  const success = gets.map(({ request }) => ({ request_range: request }));
  try {
    const { header, responses } = await cluster.call({
      send: (client, sending) => client.transact({ compare: [], success, failure: [] }, sending),
      repeatable: true,
      timeout,
    });
    return responses.map(({ response_range: answer }) => (answer === undefined ? new Error('no answer') : { ...answer, header }));
  } catch (error) {
    const reason = translated(error);
    const { code, transient } = reason;
    if (transient || code === 'closed' || code === 'unsupported') return gets.map(() => reason);
    // One of them is refused, and the others are not to suffer for it.
    return Promise.all(gets.map(async get => alone(cluster, get).catch(translated)));
  }
}
