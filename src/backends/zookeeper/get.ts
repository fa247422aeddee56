/** Reads of single keys, those that come while one is under way in one request, and one sync for all of them. */
import { type Coalescer, coalesce } from '../../coalesce.js';
import type { Listing } from '../../driver.js';
import type { Get } from '../../networked.js';
import { answersTo } from '../../running.js';
import type { Cluster } from './cluster.js';
import type { Connection } from './connection.js';
import { backend, Fault, translated } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { code } from './numbers.js';
import { type Answer, getData, type Node, type Request, readNodes, sync } from './wire.js';

export interface GetsOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly strong: boolean;
}

/** Keys in one request. */
const most = 1000;

export function createGets(options: GetsOptions): Coalescer<Get, Listing> {
  return coalesce<Get, Listing>({ run: gets => answersTo(gets, backend, waiting => ask(options, waiting)), most });
}

async function ask(options: GetsOptions, gets: readonly Get[]): Promise<(Listing | Error)[]> {
  const [only, second] = gets;
  if (only !== undefined && second === undefined) return [await one(options, only)];
  const { cluster, keyspace, strong } = options;
  const paths = gets.map(({ key }) => keyspace.path(key));
  const { value: nodes, zxid } = await cluster.call({
    send: (connection, deadline) => synced(connection, deadline, strong, paths[0] as string, readNodes(paths)),
    repeatable: true,
    timeout: Math.max(...gets.map(get => get.timeout)),
  });
  return gets.map(({ key }, i) => listingOf(keyspace, key, nodes[i] as Node | number, zxid));
}

async function one({ cluster, keyspace, strong }: GetsOptions, { key, timeout }: Get): Promise<Listing | Error> {
  const path = keyspace.path(key);
  try {
    const { value, zxid } = await cluster.call({
      send: (connection, deadline) => synced(connection, deadline, strong, path, getData(path)),
      repeatable: true,
      timeout,
    });
    return listingOf(keyspace, key, value, zxid);
  } catch (error) {
    const { cause } = translated(error);
    if (cause instanceof Fault && cause.code === code.noNode) return { entries: [], revision: cause.zxid };
    throw error;
  }
}

/** Both travel together, and are answered in this order. */
function synced<T>(connection: Connection, deadline: number, strong: boolean, path: string, request: Request<T>): Promise<Answer<T>> {
  if (!strong) return connection.send(request, deadline);
  const before = connection.send(sync(path), deadline);
  return Promise.all([connection.send(request, deadline), before]).then(([answer]) => answer);
}

function listingOf(keyspace: Keyspace, key: string, node: Node | number, revision: bigint): Listing | Error {
  if (typeof node === 'number') return node === code.noNode ? { entries: [], revision } : translated(new Fault(node));
  const entry = keyspace.entry(keyspace.path(key), node);
  return { entries: entry === undefined ? [] : [entry], revision };
}
