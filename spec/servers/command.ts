/** `node scripts/servers.mjs`: says which servers would be used, or starts them for a developer until Ctrl-C. */
import { type ServerName, serverNames } from './catalogue.js';
import { startConsul } from './consul.js';
import { startEtcd } from './etcd.js';
import type { Address, Found, Program } from './found.js';
import { provision } from './provision.js';
import { startRedis } from './redis.js';
import { run } from './run.js';
import type { Server } from './server.js';
import { serversRequired } from './verdict.js';
import { startZooKeeper } from './zookeeper.js';

const usage = `usage: node scripts/servers.mjs status      what would be used for each server, and why
       node scripts/servers.mjs [name ...]  starts them and prints their URLs, until Ctrl-C
names: ${serverNames.join(' ')}; without any, all of them`;

const starters: Readonly<Record<ServerName, (found: Program | Address) => Promise<Server>>> = {
  etcd: startEtcd,
  etcd34: startEtcd,
  consul: startConsul,
  zookeeper: startZooKeeper,
  redis: startRedis,
};

const schemes: Readonly<Record<ServerName, string>> = {
  etcd: 'http',
  etcd34: 'http',
  consul: 'http',
  zookeeper: 'zookeeper',
  redis: 'redis',
};

/** @returns exit code; where servers were started it settles at SIGINT or SIGTERM, when they have ended */
export async function command(args: readonly string[], cache: string): Promise<number> {
  const { env } = process;
  if (args.length === 1 && args[0] === 'status') {
    const found = await provision([...serverNames, 'curator', 'java'], { env, cache, mirror: false });
    return status(Object.values(found), env);
  }
  const names = serverNames.filter(name => args.includes(name));
  if (names.length !== args.length) {
    console.error(usage);
    return 2;
  }
  const wanted = names.length > 0 ? names : serverNames;
  return serve(Object.entries(await provision(wanted, { env, cache })) as [ServerName, Found][]);
}

/** Starts one server as the tests would. @throws Error where there is none to be had */
export async function start(name: ServerName, cache: string): Promise<Server> {
  const found = (await provision([name], { env: process.env, cache }))[name];
  if (found === undefined || found.kind === 'missing') throw new Error(found?.why ?? `no ${name}`);
  return starters[name](found);
}

async function status(found: readonly Found[], env: NodeJS.ProcessEnv): Promise<number> {
  for (const { kind, why } of found) console.log(`${kind === 'missing' ? 'not here' : 'will use'}  ${why}`);
  const openssl = await run('openssl', ['version'], { env });
  console.log(
    openssl.code === 0 ? `will use  ${openssl.stdout.trim()} for certificates` : 'not here  openssl, which certificates are made with',
  );
  console.log(serversRequired(env) ? 'a server that is missing fails the run' : 'the tests of a server that is missing are skipped');
  return 0;
}

async function serve(all: readonly [ServerName, Found][]): Promise<number> {
  const servers: Server[] = [];
  // Heard from now on: who interrupts the start ends what was started.
  const interrupted = new Promise<void>(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  const started = Promise.allSettled(
    all.map(async ([name, found]) => {
      if (found.kind === 'missing') throw new Error(found.why);
      const server = await starters[name](found);
      servers.push(server);
      console.log(
        `export RXKV_TEST_${name.toUpperCase()}_URL=${schemes[name]}://${server.host}  # pid ${server.pid ?? 'not ours'}; ${found.why}`,
      );
    }),
  );
  const failed = (await started).filter(each => each.status === 'rejected');
  for (const { reason } of failed) console.error(reason instanceof Error ? reason.message : reason);
  if (servers.length > 0) {
    console.log('Ctrl-C ends them');
    // A promise does not keep a process alive.
    const alive = setInterval(() => undefined, 3_600_000);
    await interrupted;
    clearInterval(alive);
  }
  await Promise.all(servers.map(server => server[Symbol.asyncDispose]()));
  return failed.length > 0 ? 1 : 0;
}
