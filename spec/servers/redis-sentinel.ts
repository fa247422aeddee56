/** Redis Sentinel: a master, replicas, and three sentinels that make another one master when it is gone. */
import type { Program } from './found.js';
import { freePorts } from './ports.js';
import { type Redis, startWith } from './redis.js';
import { fieldsOf } from './redis-wire.js';
import { until } from './until.js';

export interface RedisSentinel extends AsyncDisposable {
  /** What the sentinels call the master. */
  readonly masterName: string;
  /** The servers: the first master, and its replicas. */
  readonly servers: readonly Redis[];
  readonly sentinels: readonly Redis[];
  /** The server that the sentinels say is master; waits until most of them say one, other than `not` where that is given. */
  master(not?: Redis): Promise<Redis>;
  log(): string;
}

const masterName = 'rxkv';

/**
 * Starts all of them; resolves when every sentinel knows the replicas and the other sentinels. A dead master is replaced in
 * about 2 s.
 *
 * @param options.replicas 1
 */
export async function startRedisSentinel(program: Program, { replicas = 1 }: { replicas?: 1 | 2 } = {}): Promise<RedisSentinel> {
  const ports = await freePorts(1 + replicas + 3);
  const [master = 0] = ports;
  const started: Redis[] = [];
  const start = async (
    name: string,
    port: number | undefined,
    lines: Record<string, string | number>,
    sentinel = false,
  ): Promise<Redis> => {
    const redis = await startWith(program, { name, port: port ?? 0, lines, sentinel });
    started.push(redis);
    return redis;
  };
  const all: RedisSentinel = {
    masterName,
    servers: [],
    sentinels: [],
    master: not =>
      until(`the sentinels to name a master${not === undefined ? '' : ` other than ${not.name}`}`, async () => {
        const named = await Promise.all(all.sentinels.map(namedBy));
        const port = named.find(each => named.filter(other => other === each).length * 2 > named.length);
        const found = all.servers.find(server => server.port === port);
        // The sentinels agree on a new one a moment before it has taken up the role.
        if (found === undefined || found === not) return false;
        const role = await found.command(['role']);
        return Array.isArray(role) && role[0] === 'master' && found;
      }),
    log: () => started.map(each => `=== ${each.name}\n${each.log()}`).join('\n'),
    async [Symbol.asyncDispose]() {
      await Promise.all(started.map(each => each[Symbol.asyncDispose]()));
    },
  };
  try {
    const servers = [await start('redis master', master, { 'repl-diskless-sync-delay': 0 })];
    for (let i = 1; i <= replicas; i++) {
      servers.push(await start(`redis replica ${i}`, ports[i], { replicaof: `127.0.0.1 ${master}`, 'repl-diskless-sync-delay': 0 }));
    }
    await until('the replicas to follow', async () => {
      const role = await servers[0]?.command(['info', 'replication']);
      return String(role).split('state=online').length - 1 === replicas;
    });
    const sentinel = {
      'sentinel monitor': `${masterName} 127.0.0.1 ${master} 2`,
      'sentinel down-after-milliseconds': `${masterName} 1000`,
      'sentinel failover-timeout': `${masterName} 3000`,
    };
    const sentinels = await Promise.all([1, 2, 3].map(i => start(`redis sentinel ${i}`, ports[replicas + i], sentinel, true)));
    Object.assign(all, { servers, sentinels });
    await until('the sentinels to know each other', async () => {
      const views = await Promise.all(sentinels.map(async each => fieldsOf(await each.command(['sentinel', 'master', masterName]))));
      return views.every(view => view['num-slaves'] === String(replicas) && view['num-other-sentinels'] === '2' && view.flags === 'master');
    });
  } catch (error) {
    await all[Symbol.asyncDispose]();
    throw error;
  }
  return all;
}

async function namedBy(sentinel: Redis): Promise<number | undefined> {
  const address = await sentinel.command(['sentinel', 'get-master-addr-by-name', masterName]).catch(() => undefined);
  return Array.isArray(address) ? Number(address[1]) : undefined;
}
