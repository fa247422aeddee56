/** The suite on Redis: the harness that all of its configurations share. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { redis } from '../../src/backends/redis/index.js';
import type { RedisOptions } from '../../src/backends/redis/options.js';
import { conformance, type Selection } from '../../src/conformance/index.js';
import type { Driver, Session } from '../../src/driver.js';
import type { Redis } from '../servers/redis.js';
import { showLogsOnFailure } from '../servers/suite.js';
import { contendersIn } from './instruments.js';
import { Network } from './network.js';

/** The servers of one configuration, and how they are used. */
export interface Configuration {
  /** First word of every title. */
  readonly name: string;
  readonly start: () => Promise<Deployment>;
  /** How a driver reaches them where that is not plain; `hosts` are the proxies before the doors, in their order. */
  readonly options?: (hosts: string[], doors: readonly Redis[]) => Omit<RedisOptions, 'root'>;
  /** The part of the root that is the same for all: a hash tag, or what an ACL allows. */
  readonly below?: string;
  readonly database?: number;
  /** Whether they are ours to stop; true */
  readonly owned?: boolean;
}

export interface Deployment extends AsyncDisposable {
  /** Those that have keys. */
  readonly servers: readonly Redis[];
  /** Those that clients reach, behind a proxy each; the servers by default. */
  readonly doors?: readonly Redis[];
  log(): string;
}

/** Call it inside a describe: the servers live as long as its tests. */
export function suiteOnRedis(configuration: Configuration, selection?: Selection): void {
  const { name, start, options = hosts => ({ hosts }), below = '', database = 0, owned = true } = configuration;
  let deployment: Deployment | undefined;
  const servers = (): readonly Redis[] => deployment?.servers ?? [];
  const doors = (): readonly Redis[] => deployment?.doors ?? servers();
  const network = new Network(({ hosts, root }) => redis({ ...options(hosts, doors()), root: below + root }));
  beforeAll(async () => {
    deployment = await start();
    network.open(...doors().map(({ host }) => host));
  });
  afterAll(async () => {
    await network.close();
    await deployment?.[Symbol.asyncDispose]();
  });
  showLogsOnFailure(() => deployment?.log() ?? '');

  /** What Redis itself does when a session's time is over: its record goes, and all that has its name in the companion. */
  async function expireSession(driver: Driver, session?: Session): Promise<void> {
    const { root, sessions } = network.connectionOf(driver);
    const ended = new Set((session === undefined ? sessions : [session]).map(({ id }) => id));
    await Promise.all(servers().map(async server => expire(server, database, `${below}${root}/~rxkv/`, ended)));
  }

  async function watches(): Promise<number> {
    const lists = await Promise.all(servers().map(async server => server.command(['CLIENT', 'LIST'])));
    // Flag B: tracks keys in broadcast mode. A store has one at each master.
    return Math.max(...lists.map(list => (String(list).match(/ flags=\S*B/g) ?? []).length));
  }

  async function contenders(driver: Driver, lock: string): Promise<number> {
    const { root } = network.connectionOf(driver);
    const hosts = doors().map(({ host }) => host);
    return contendersIn(redis({ ...options(hosts, doors()), root: below + root }), lock);
  }

  conformance(
    { test, expect },
    {
      name,
      ...network.hooks,
      ...(owned ? { restart: async () => void (await Promise.all(servers().map(server => server.restart('kept')))) } : {}),
      expireSession,
      // It has no history to forget.
      compact: () => undefined,
      roundTrips: driver => network.connectionOf(driver).proxies.reduce((sum, { counts }) => sum + counts.roundTrips, 0),
      serverWatches: watches,
      contenders,
      silence: 2000,
    },
    selection,
  );
}

async function expire(server: Redis, database: number, own: string, ended: ReadonlySet<string>): Promise<void> {
  // A replica takes no orders, and another may have taken the key since.
  const ask = async (...command: string[]): Promise<unknown> => server.command(within(database, command)).catch(() => undefined);
  for (const id of ended) await ask('DEL', `${own}session:{${id}}`);
  for (const side of ((await ask('KEYS', `${own.replaceAll(/[{}]/g, '?')}rev:*`)) ?? []) as readonly string[]) {
    const [, , session] = String(await ask('GET', side)).split(' ');
    if (session === undefined || !ended.has(session)) continue;
    await ask('DEL', keyOf(side));
    await ask('DEL', side);
  }
}

/** A connection of its own for each command has no other way to another database. */
function within(database: number, command: readonly string[]): readonly string[] {
  if (database === 0) return command;
  return ['EVAL', "redis.call('SELECT', ARGV[1]) return redis.call(unpack(ARGV, 2))", '0', String(database), ...command];
}

/** The key that a companion stands beside. */
function keyOf(side: string): string {
  const name = side.replace(/^.*?~rxkv\/rev:/s, '').slice(0, -1);
  return name.startsWith('{') && !name.startsWith('{suite}') ? name.slice(1) : name.replace(/^\{(?=\{suite\})/, '');
}
