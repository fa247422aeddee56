/** Health: a strong read, which the cluster answers only with a leader, and what the servers say of themselves. */
import type { Health } from '../../driver.js';
import { asKvError } from '../../errors.js';
import type { Cluster } from './cluster.js';
import { backend } from './errors.js';
import { type Keyspace, ownRecords } from './keyspace.js';
import { type Answer, namesOf, parsed, type Request } from './wire.js';

export interface HealthOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  /** ms */
  readonly timeout: number;
}

interface Member {
  readonly Name: string;
  readonly Addr: string;
  readonly Tags?: Readonly<Record<string, string>>;
  /** 1: alive. */
  readonly Status: number;
}

/** Never rejects. */
export async function healthOf(options: HealthOptions): Promise<Health> {
  const { cluster, keyspace } = options;
  const started = performance.now();
  const { warnings } = keyspace.foreign;
  try {
    await strongRead(options);
    const latency = performance.now() - started;
    const [names, leader, peers, members, token] = await Promise.all([
      told(options, namesOf(keyspace.root)),
      ...['/status/leader', '/status/peers', '/agent/members', '/acl/token/self'].map(async path => told(options, { method: 'GET', path })),
    ]);
    const servers = membersOf(members);
    const name = (address: string): string => servers.find(server => addressOf(server) === address)?.Name ?? address;
    const leading = leader === undefined ? '' : parsed<string>(leader);
    return {
      ok: true,
      latency,
      endpoint: cluster.host,
      ...(leading === '' ? {} : { leader: name(leading) }),
      ...(peers === undefined ? {} : { members: parsed<readonly string[]>(peers).map(name) }),
      warnings: [...warnings, ...deaf(servers), ...filtering(token, names?.filtered === true)],
    };
  } catch (error) {
    return { ok: false, latency: performance.now() - started, endpoint: cluster.host, warnings, error: asKvError(error, { backend }) };
  }
}

/** @throws KvError */
export async function strongRead({ cluster, keyspace, timeout }: HealthOptions): Promise<void> {
  const request = { method: 'GET', path: '/kv/{key}', key: keyspace.key(`${ownRecords}health`), query: { consistent: '' } } as const;
  await cluster.call(request, { repeatable: true, timeout });
}

/** What an endpoint says; undefined where the token is not allowed to hear it, or ACLs are off. */
async function told({ cluster, timeout }: HealthOptions, request: Request): Promise<Answer | undefined> {
  try {
    return await cluster.call(request, { repeatable: true, timeout });
  } catch (error) {
    if (asKvError(error).code === 'denied') return undefined;
    throw error;
  }
}

function membersOf(answer: Answer | undefined): readonly Member[] {
  const members = answer === undefined ? [] : parsed<readonly Member[]>(answer);
  return members.filter(({ Tags }) => Tags?.role === 'consul');
}

/** As Raft names a server. */
function addressOf({ Addr, Tags }: Member): string {
  return `${Addr}:${Tags?.port ?? ''}`;
}

function deaf(servers: readonly Member[]): string[] {
  return servers.filter(({ Status }) => Status !== 1).map(({ Name }) => `the server ${Name} does not answer the others`);
}

function filtering(token: Answer | undefined, filtered: boolean): string[] {
  if (filtered) return ['the token may not read all keys below the root: lists and watches leave them out in silence'];
  return token === undefined ? [] : ['ACLs are on: where the token may not read a key, lists and watches leave it out in silence'];
}
