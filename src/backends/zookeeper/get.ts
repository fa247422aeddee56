/** Reads of single keys, those that come while one is under way in one request, and one sync for all of them. */
import { type Coalescer, coalesce } from '../../coalesce.js';
import type { Listing } from '../../driver.js';
import type { Abandonable } from '../../running.js';
import type { Cluster } from './cluster.js';
import { Fault, translated } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { code, getData, type Node, readNodes, sync } from './wire.js';

export interface Get extends Abandonable {
  readonly key: string;
  /** ms */
  readonly timeout: number;
}

export interface GetsOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly strong: boolean;
}

/** Keys in one request. */
const most = 1000;

export function createGets(options: GetsOptions): Coalescer<Get, Listing> {
  return coalesce<Get, Listing>({ run: gets => run(options, gets), most });
}

async function run({ cluster, keyspace, strong }: GetsOptions, gets: readonly Get[]): Promise<(Listing | Error)[]> {
  const wanted = gets.filter(get => !get.abandoned);
  const paths = wanted.map(({ key }) => keyspace.path(key));
  const [only] = paths;
  if (only === undefined) return gets.map(() => new Error('given up'));
  const timeout = Math.max(...wanted.map(get => get.timeout));
  const { nodes, zxid } = await cluster.call({
    send: async (connection, deadline) => {
      // Both travel together, and are answered in this order.
      const synced = strong ? connection.send(sync(only), deadline) : undefined;
      synced?.catch(() => undefined);
      const { value, zxid: at } = await (paths.length === 1
        ? lone(connection.send(getData(only), deadline))
        : connection.send(readNodes(paths), deadline));
      await synced;
      return { nodes: value, zxid: at };
    },
    repeatable: true,
    timeout,
  });
  let next = 0;
  return gets.map(get =>
    get === wanted[next] ? listingOf(keyspace, get.key, nodes[next++] as Node | number, zxid) : new Error('given up'),
  );
}

async function lone(answer: Promise<{ value: Node; zxid: bigint }>): Promise<{ value: (Node | number)[]; zxid: bigint }> {
  try {
    const { value, zxid } = await answer;
    return { value: [value], zxid };
  } catch (error) {
    if (error instanceof Fault && error.code === code.noNode) return { value: [code.noNode], zxid: error.zxid };
    throw error;
  }
}

function listingOf(keyspace: Keyspace, key: string, node: Node | number, revision: bigint): Listing | Error {
  if (typeof node === 'number') return node === code.noNode ? { entries: [], revision } : translated(new Fault(node));
  const entry = keyspace.entry(keyspace.path(key), node);
  return { entries: entry === undefined ? [] : [entry], revision };
}
