/** Runs one bench and prints its table; scripts/bench.mjs starts one process for each. */
import { availableParallelism } from 'node:os';
import { consulBench } from './consul.js';
import { embeddedBench } from './embedded.js';
import { etcdBench } from './etcd.js';
import { lmdbBench } from './lmdb.js';
import { redisBench } from './redis.js';
import type { Row } from './row.js';
import { sizeBench } from './size.js';
import { table } from './table.js';
import { treeBench } from './tree.js';
import { zookeeperBench } from './zookeeper.js';

const benches: Readonly<Record<string, () => Promise<Row[]>>> = {
  tree: treeBench,
  lmdb: lmdbBench,
  size: sizeBench,
  embedded: embeddedBench,
  etcd: etcdBench,
  consul: consulBench,
  zookeeper: zookeeperBench,
  redis: redisBench,
};

const [name = ''] = process.argv.slice(2);
const bench = benches[name];
if (bench === undefined) throw new Error(`no bench ${JSON.stringify(name)}: ${Object.keys(benches).join(', ')}`);
console.log(`\n${name} (Node ${process.versions.node}, ${process.platform} ${process.arch}, ${availableParallelism()} cores)`);
console.log(table(await bench()));
