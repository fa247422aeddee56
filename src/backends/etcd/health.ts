/** Health: a strong read, which the cluster answers only with a quorum, and what its members say of themselves. */
import type { Health } from '../../driver.js';
import { asKvError } from '../../errors.js';
import type { Client } from './client.js';
import type { Cluster } from './cluster.js';
import { backend } from './errors.js';
import type { Keyspace } from './keyspace.js';
import type { Sending } from './sending.js';
import type { MembersResponse, StatusResponse } from './wire.js';

export interface HealthOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  /** ms */
  readonly timeout: number;
}

/** Never rejects. */
export async function healthOf({ cluster, keyspace, timeout }: HealthOptions): Promise<Health> {
  const started = performance.now();
  const { warnings } = keyspace.foreign;
  try {
    await strongRead(cluster, keyspace, timeout);
    const latency = performance.now() - started;
    const told = await cluster.call({ send: tell, repeatable: true, timeout });
    return { ok: true, latency, ...describe(told, warnings) };
  } catch (error) {
    return { ok: false, latency: performance.now() - started, endpoint: cluster.host, warnings, error: asKvError(error, { backend }) };
  }
}

/** @throws KvError */
export async function strongRead(cluster: Cluster, keyspace: Keyspace, timeout: number): Promise<void> {
  const request = { ...keyspace.range({ prefix: '' }), limit: 1, keys_only: true };
  await cluster.call({ send: (client, sending) => client.range(request, sending), repeatable: true, timeout });
}

interface Told {
  readonly host: string;
  readonly status: StatusResponse;
  readonly members: MembersResponse['members'];
}

async function tell(client: Client, sending: Sending): Promise<Told> {
  const status = await client.status(sending);
  const { members } = await client.members(sending);
  return { host: client.host, status, members };
}

function describe({ host, status, members }: Told, warnings: readonly string[]): Omit<Health, 'ok' | 'latency'> {
  const nameOf = ({ ID, name, clientURLs }: Told['members'][number]): string => (name === '' ? (clientURLs[0] ?? ID) : name);
  const leader = members.find(({ ID }) => ID === status.leader);
  return {
    endpoint: host,
    ...(leader === undefined ? {} : { leader: nameOf(leader) }),
    members: members.map(nameOf),
    warnings: [...warnings, ...(status.errors ?? []), ...(status.leader === '0' ? ['this member knows no leader'] : [])],
  };
}
