/** The conformance suite on Redis' other configurations: a subset in an everyday run, all of it in a full one. */
import type { RedisOptions } from '../../src/backends/redis/options.js';
import { type Redis, type RedisOptions as ServerOptions, redisUsers, startRedis } from '../servers/redis.js';
import { startRedisCluster } from '../servers/redis-cluster.js';
import { startRedisSentinel } from '../servers/redis-sentinel.js';
import type { Program } from '../servers/found.js';
import { describeProgram } from '../servers/suite.js';
import { otherConfiguration } from './matrix.js';
import { type Deployment, suiteOnRedis } from './redis.js';

async function alone(found: Program, options?: ServerOptions): Promise<Deployment> {
  const server = await startRedis(found, options);
  return { servers: [server], log: () => server.log(), [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose]() };
}

/** Each address as it is told, and the proxy before it. */
function natMap(hosts: readonly string[], doors: readonly Redis[]): Record<string, string> {
  return Object.fromEntries(doors.map(({ host }, i) => [host, hosts[i] ?? host]));
}

describeProgram('redis', 'conformance in another database', found => {
  const options = (hosts: string[]): RedisOptions => ({ hosts, database: 5 });
  suiteOnRedis({ name: 'redis database', start: async () => alone(found), options, database: 5 }, otherConfiguration);
});

describeProgram('redis', 'conformance with TLS, client certificates and an ACL user', found => {
  let server: Redis | undefined;
  suiteOnRedis(
    {
      name: 'redis TLS user',
      async start() {
        const deployment = await alone(found, { tls: true, auth: true });
        [server] = deployment.servers;
        return deployment;
      },
      options(hosts) {
        const { ca, client } = server?.certificates ?? {};
        return { hosts, auth: redisUsers.limited, ...(ca === undefined ? {} : { tls: { ca, ...client } }) };
      },
      below: 'limited/',
    },
    otherConfiguration,
  );
});

describeProgram('redis', 'conformance with an index', found => {
  const options = (hosts: string[]): RedisOptions => ({ hosts, index: true });
  suiteOnRedis({ name: 'redis index', start: async () => alone(found), options }, otherConfiguration);
});

describeProgram('redis', 'conformance behind sentinels', found => {
  suiteOnRedis(
    {
      name: 'redis sentinel',
      async start() {
        const sentinel = await startRedisSentinel(found);
        const { servers, sentinels } = sentinel;
        return {
          servers: servers.slice(0, 1),
          doors: [...sentinels, ...servers],
          log: () => sentinel.log(),
          [Symbol.asyncDispose]: async () => sentinel[Symbol.asyncDispose](),
        };
      },
      options: (hosts, doors) => ({ hosts: hosts.slice(0, 3), sentinel: 'rxkv', natMap: natMap(hosts, doors) }),
      // While the master is down the others would make the replica master; redis/sentinel.spec.ts has that.
      owned: false,
    },
    otherConfiguration,
  );
});

for (const tagged of [true, false]) {
  describeProgram('redis', `conformance of a cluster ${tagged ? 'with' : 'without'} a hash tag`, found => {
    suiteOnRedis(
      {
        name: tagged ? 'redis cluster tagged' : 'redis cluster',
        async start() {
          const cluster = await startRedisCluster(found);
          return {
            servers: cluster.masters,
            doors: [...cluster.masters, cluster.replica],
            log: () => cluster.log(),
            [Symbol.asyncDispose]: async () => cluster[Symbol.asyncDispose](),
          };
        },
        options: (hosts, doors) => ({ hosts, cluster: true, natMap: natMap(hosts, doors) }),
        below: tagged ? '{suite}/' : '',
        owned: false,
      },
      otherConfiguration,
    );
  });
}
