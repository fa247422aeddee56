/** Redis Cluster: three masters that share the slots, and a replica of the first. */
import type { Program } from './found.js';
import { freePorts } from './ports.js';
import { type Redis, startWith } from './redis.js';
import { until } from './until.js';

export interface RedisCluster extends AsyncDisposable {
  readonly masters: readonly Redis[];
  /** Of the first master: takes its place about 2 s after it is gone. */
  readonly replica: Redis;
  /** host:port of all nodes. */
  readonly hosts: readonly string[];
  /** The master that has the key's slot, as the first node that answers sees it. */
  ownerOf(key: string): Promise<Redis>;
  log(): string;
}

const slots = 16_384;

/** Starts four nodes and joins them; resolves when each sees all slots served and the replica has followed. */
export async function startRedisCluster(program: Program): Promise<RedisCluster> {
  const ports = await freePorts(8);
  const nodes: Redis[] = [];
  const dispose = async (): Promise<void> => {
    await Promise.all(nodes.map(node => node[Symbol.asyncDispose]()));
  };
  try {
    for (let i = 0; i < 4; i++) {
      // The default for the bus is the port plus 10 000, which nobody has looked at.
      const lines = { 'cluster-enabled': 'yes', 'cluster-node-timeout': 1500, 'cluster-port': ports[i + 4] ?? 0 };
      nodes.push(await startWith(program, { name: `redis node ${i + 1}`, port: ports[i] ?? 0, lines }));
    }
    const masters = nodes.slice(0, 3);
    const replica = nodes[3];
    const first = nodes[0];
    if (replica === undefined || first === undefined) throw new Error('a cluster has four nodes');
    await join(nodes, first, ports);
    await share(masters, replica, first);
    return {
      masters,
      replica,
      hosts: nodes.map(node => node.host),
      ownerOf: key => ownerOf(nodes, key),
      log: () => nodes.map(node => `=== ${node.name}\n${node.log()}`).join('\n'),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function join(nodes: readonly Redis[], first: Redis, ports: readonly number[]): Promise<void> {
  for (const [i, node] of nodes.entries()) {
    await node.command(['cluster', 'set-config-epoch', String(i + 1)]);
    if (node !== first) await first.command(['cluster', 'meet', '127.0.0.1', String(node.port), String(ports[i + 4])]);
  }
  await until('the nodes to know each other', async () => (await infos(nodes)).every(info => info.includes(`known_nodes:${nodes.length}`)));
}

async function share(masters: readonly Redis[], replica: Redis, first: Redis): Promise<void> {
  const each = Math.ceil(slots / masters.length);
  for (const [i, master] of masters.entries()) {
    await master.command(['cluster', 'addslotsrange', String(i * each), String(Math.min((i + 1) * each, slots) - 1)]);
  }
  const id = String(await first.command(['cluster', 'myid']));
  await until('the replica to be one', async () => (await replica.command(['cluster', 'replicate', id])) === 'OK');
  const all = [...masters, replica];
  await until('all slots to be served', async () => (await infos(all)).every(info => info.includes('cluster_state:ok')));
  await until('the replica to have followed', async () =>
    String(await replica.command(['info', 'replication'])).includes('master_link_status:up'),
  );
}

function infos(nodes: readonly Redis[]): Promise<string[]> {
  return Promise.all(nodes.map(async node => String(await node.command(['cluster', 'info']))));
}

async function ownerOf(nodes: readonly Redis[], key: string): Promise<Redis> {
  for (const node of nodes) {
    const slot = await node.command(['cluster', 'keyslot', key]).catch(() => undefined);
    if (typeof slot !== 'number') continue;
    const ranges = await node.command(['cluster', 'slots']);
    if (!Array.isArray(ranges)) continue;
    for (const [from, to, master] of ranges) {
      const owner = nodes.find(each => each.port === master[1]);
      if (slot >= from && slot <= to && owner !== undefined) return owner;
    }
  }
  throw new Error(`no node knows who has the slot of ${key}`);
}
