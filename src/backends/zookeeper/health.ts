/** Health: a strong read, which the server in use asks the leader about, and the members that the ensemble has on record. */
import type { Health } from '../../driver.js';
import { asKvError } from '../../errors.js';
import type { Cluster } from './cluster.js';
import { backend, isFault } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { code } from './numbers.js';
import type { InTime } from './trips.js';
import { exists, getData, sync } from './wire.js';

export interface HealthOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  /** ms */
  readonly timeout: number;
  /** Gives up a round trip that takes longer. */
  readonly inTime: InTime;
}

/** Where an ensemble keeps its configuration. */
const configuration = '/zookeeper/config';

/** Never rejects. */
export async function healthOf({ cluster, keyspace, timeout, inTime }: HealthOptions): Promise<Health> {
  const started = performance.now();
  const { warnings } = keyspace.foreign;
  try {
    await inTime(strongRead(cluster, keyspace, timeout));
    const latency = performance.now() - started;
    const members = await inTime(membersOf(cluster, timeout));
    return { ok: true, latency, endpoint: cluster.host, ...(members.length === 0 ? {} : { members }), warnings };
  } catch (error) {
    return { ok: false, latency: performance.now() - started, endpoint: cluster.host, warnings, error: asKvError(error, { backend }) };
  }
}

/** @throws KvError */
export async function strongRead(cluster: Cluster, keyspace: Keyspace, timeout: number): Promise<void> {
  const path = keyspace.at({ prefix: '' });
  try {
    await cluster.call({
      send: async (connection, deadline) => {
        const synced = connection.send(sync(path), deadline);
        synced.catch(() => undefined);
        await connection.send(exists(path), deadline);
        await synced;
      },
      repeatable: true,
      timeout,
    });
  } catch (error) {
    // A root that nobody has written below yet.
    if (!isFault(error, code.noNode)) throw error;
  }
}

/** `host:port` for clients of each member; none of a server that stands alone, or where they may not be read. */
async function membersOf(cluster: Cluster, timeout: number): Promise<string[]> {
  try {
    const { value } = await cluster.call({
      send: (connection, deadline) => connection.send(getData(configuration), deadline),
      repeatable: true,
      timeout,
    });
    const lines = Buffer.from(value.data ?? [])
      .toString()
      .split('\n');
    return lines.flatMap(line => /^server\.\d+=([^;]+)(?:;(.+))?$/.exec(line.trim())?.slice(1, 3).reverse().find(Boolean) ?? []);
  } catch (error) {
    if (isFault(error, code.noNode) || isFault(error, code.noAuth)) return [];
    throw error;
  }
}
