/** The networked backends, each on a server of its own. */
import { consul } from '../../src/backends/consul/index.js';
import { etcd } from '../../src/backends/etcd/index.js';
import { redis } from '../../src/backends/redis/index.js';
import { zookeeper } from '../../src/backends/zookeeper/index.js';
import type { Driver } from '../../src/driver.js';
import { startConsul } from '../../spec/servers/consul.js';
import { startEtcd } from '../../spec/servers/etcd.js';
import type { Address, Program } from '../../spec/servers/found.js';
import { startRedis } from '../../spec/servers/redis.js';
import type { Server } from '../../spec/servers/server.js';
import { startZooKeeper } from '../../spec/servers/zookeeper.js';
import type { Backend } from '../backends.js';

type Start = (found: Program | Address) => Promise<Server>;
type Connect = (to: { hosts: string; root: string }) => Driver;

export const networked = ['etcd', 'consul', 'zookeeper', 'redis'] as const;

export type Networked = (typeof networked)[number];

const kinds: Readonly<Record<Networked, readonly [Start, Connect]>> = {
  etcd: [startEtcd, etcd],
  consul: [startConsul, consul],
  zookeeper: [startZooKeeper, zookeeper],
  redis: [startRedis, redis],
};

/** Data of one's own is a root below `laws/`: a server may be somebody else's. */
export function backendOn(name: Networked, found: Program | Address): Backend {
  const [start, connect] = kinds[name];
  return {
    name,
    open: async () => {
      const server = await start(found);
      return {
        connect: (root = '') => connect({ hosts: server.host, root: `laws/${root}` }),
        end: async () => server[Symbol.asyncDispose](),
      };
    },
  };
}
