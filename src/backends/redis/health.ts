/** Health: a read through the whole way, and what the masters say of themselves. */
import type { Health } from '../../driver.js';
import { asKvError } from '../../errors.js';
import { backend, translated } from './errors.js';
import { readAll } from './get.js';
import type { Keyspace } from './keyspace.js';
import type { Server } from './server.js';
import type { Servers } from './servers.js';

export interface HealthOptions {
  readonly servers: Servers;
  readonly keyspace: Keyspace;
  /** ms */
  readonly timeout: number;
}

/** Never rejects. */
export async function healthOf({ servers, keyspace, timeout }: HealthOptions): Promise<Health> {
  const started = performance.now();
  const { warnings } = keyspace.foreign;
  try {
    await strongRead({ servers, keyspace, timeout });
    const latency = performance.now() - started;
    const masters = await servers.masters(timeout, true);
    const told = await Promise.all(masters.map(async master => tell(master, timeout)));
    const members = masters.map(({ host }) => host);
    const [leader] = members;
    return {
      ok: true,
      latency,
      endpoint: servers.host,
      ...(masters.length === 1 && leader !== undefined ? { leader } : {}),
      members,
      warnings: [...warnings, ...told.flat()],
    };
  } catch (error) {
    return { ok: false, latency: performance.now() - started, endpoint: servers.host, warnings, error: asKvError(error, { backend }) };
  }
}

/** As a get goes: the server answers, knows us, and lets us read. @throws KvError */
export async function strongRead({ servers, keyspace, timeout }: HealthOptions): Promise<void> {
  await readAll({ servers, keyspace, keys: ['~rxkv/health'], timeout });
}

/** What is worth a warning. */
async function tell(server: Server, timeout: number): Promise<string[]> {
  try {
    const info = await server.call({ send: client => client.call('INFO'), repeatable: true, timeout });
    return warningsOf(server.host, String(info));
  } catch (error) {
    const known = translated(error);
    if (known.code !== 'denied') throw known;
    return [`${server.host}: the ACL of this user does not allow INFO`];
  }
}

function warningsOf(host: string, info: string): string[] {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const warnings: string[] = [];
  const policy = field('maxmemory_policy');
  if (field('maxmemory') !== '0' && policy !== 'noeviction' && policy !== '')
    warnings.push(`${host}: maxmemory-policy ${policy} lets Redis forget keys before their time`);
  if (field('role') === 'slave') warnings.push(`${host}: is a replica`);
  if (field('loading') === '1') warnings.push(`${host}: loads its data`);
  if (field('aof_enabled') === '0' && field('rdb_saves') === '0' && field('rdb_last_save_time') === '')
    warnings.push(`${host}: keeps nothing on disk`);
  return warnings;
}
