/** The suite on Consul: the harness that all of its configurations share. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { consul } from '../../src/backends/consul/index.js';
import type { ConsulOptions } from '../../src/backends/consul/options.js';
import { conformance, type Selection } from '../../src/conformance/index.js';
import type { Driver } from '../../src/driver.js';
import type { Consul } from '../servers/consul.js';
import { showLogsOnFailure } from '../servers/suite.js';
import { contendersIn, counted, type Traffic } from './instruments.js';
import { Network } from './network.js';

/** ms: what is left of a writer that was cut off goes after twice as long. */
const sessionTtlMin = 1000;

/** What agents of the suite are configured with. */
export const config = {
  session_ttl_min: `${sessionTtlMin}ms`,
  // Each driver counts its own proxy's connections, and all proxies are one address to the agent.
  limits: { http_max_conns_per_client: 5000 },
};

/** The agents of one configuration. */
export interface Configuration {
  /** First word of every title. */
  readonly name: string;
  readonly start: () => Promise<readonly Consul[]>;
  /** Whether they are ours to stop; true */
  readonly owned?: boolean;
}

/** The client, which tells of each request that it sends. */
interface Native {
  on(event: 'log', listen: (tags: readonly string[]) => void): void;
}

/** Call it inside a describe: the agents live as long as its tests. */
export function suiteOnConsul({ name, start, owned = true }: Configuration, selection?: Selection): void {
  let agents: readonly Consul[] = [];
  const network = new Network(options => consul({ ...options, ...access() }));
  const watches = new WeakMap<Driver, Traffic>();
  const heard = new WeakSet<object>();
  beforeAll(async () => {
    agents = await start();
    network.open(...agents.map(({ host }) => host));
  });
  afterAll(async () => {
    await network.close();
    await Promise.all(agents.map(agent => agent[Symbol.asyncDispose]()));
  });
  showLogsOnFailure(() => agents.map(agent => agent.log()).join('\n'));

  function access(): Pick<ConsulOptions, 'tls' | 'auth' | 'sessionTtlMin'> {
    const [agent] = agents;
    const { ca, client } = agent?.certificates ?? {};
    return {
      ...(owned ? { sessionTtlMin } : {}),
      ...(agent?.tokens === undefined ? {} : { auth: rotating(agent.tokens.management) }),
      ...(ca === undefined ? {} : { tls: { ca, ...client } }),
    };
  }

  function connect(options: { root: string }): Driver | Promise<Driver> {
    const driver = network.hooks.connect(options) as Driver;
    watches.set(driver, counted(driver));
    return driver;
  }

  /** Of the client that calls go through: queries that block come back when they like. */
  function roundTrips(driver: Driver): number {
    const connection = network.connectionOf(driver);
    const native = driver.native as (Native & object) | undefined;
    if (native === undefined || heard.has(native)) return connection.trips;
    heard.add(native);
    native.on('log', ([, what, more]) => {
      if (what === 'request' && more !== 'error') connection.trips++;
    });
    return connection.trips;
  }

  async function expire(id: string): Promise<void> {
    const [agent] = agents;
    const token = agent?.tokens?.management;
    // Some of them have ended by now, which Consul does not mind.
    await agent?.call(`session/destroy/${id}`, { method: 'PUT', ...(token === undefined ? {} : { token }) });
  }

  async function contenders(driver: Driver, lock: string): Promise<number> {
    const { root } = network.connectionOf(driver);
    return contendersIn(consul({ hosts: agents.map(({ host }) => host), root, ...access() }), lock);
  }

  conformance(
    { test, expect },
    {
      name,
      ...network.hooks,
      connect,
      ...(owned ? { restart: async () => void (await Promise.all(agents.map(agent => agent.restart('kept')))) } : {}),
      async expireSession(driver, session) {
        const expiring = session === undefined ? network.connectionOf(driver).sessions : [session];
        await Promise.all(expiring.map(({ id }) => expire(id)));
      },
      roundTrips,
      serverWatches: driver => watches.get(driver)?.watches ?? 0,
      contenders,
      silence: 2000,
    },
    selection,
  );
}

/** A provider whose first token has been revoked by the time that it is used. */
function rotating(token: string): { token: () => string } {
  let asked = 0;
  return { token: () => (asked++ === 0 ? '00000000-0000-0000-0000-00000000dead' : token) };
}
