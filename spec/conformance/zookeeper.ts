/** The suite on ZooKeeper: the harness that all of its configurations share. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { zookeeper } from '../../src/backends/zookeeper/index.js';
import type { PasswordAuth } from '../../src/auth.js';
import type { ZooKeeperOptions } from '../../src/backends/zookeeper/options.js';
import { conformance, type Selection } from '../../src/conformance/index.js';
import type { Driver } from '../../src/driver.js';
import { showLogsOnFailure } from '../servers/suite.js';
import { until } from '../servers/until.js';
import type { ZooKeeper } from '../servers/zookeeper.js';
import { contendersIn, onCalls } from './instruments.js';
import { Network } from './network.js';

/** ms, of the servers too: a ttl is at least as long, and a busy machine may pause us for half of it. */
export const tickTime = 1000;

/** The servers of one configuration, and how they are used. */
export interface Configuration {
  /** First word of every title. */
  readonly name: string;
  readonly start: () => Promise<readonly ZooKeeper[]>;
  readonly options?: Pick<ZooKeeperOptions, 'auth' | 'acl' | 'ttlNodes'>;
  /** Whether they are ours to stop; true */
  readonly owned?: boolean;
  /** Whether one watch sees all of a tree; true */
  readonly recursive?: boolean;
}

/** What all requests of a client go through. */
type Queue = Record<'push', (...packet: never[]) => unknown>;

/** Call it inside a describe: the servers live as long as its tests. */
export function suiteOnZooKeeper(
  { name, start, options = {}, owned = true, recursive = true }: Configuration,
  selection?: Selection,
): void {
  let members: readonly ZooKeeper[] = [];
  const network = new Network(to => zookeeper({ ...to, ...options, ...tls(), tickTime }));
  beforeAll(async () => {
    members = await start();
    network.open(...members.map(({ host }) => host));
  });
  afterAll(async () => {
    await network.close();
    await Promise.all(members.map(member => member[Symbol.asyncDispose]()));
  });
  showLogsOnFailure(() => members.map(member => member.log()).join('\n'));

  function tls(): Pick<ZooKeeperOptions, 'tls'> {
    const { ca, client } = members[0]?.certificates ?? {};
    return ca === undefined ? {} : { tls: { ca, ...client } };
  }

  /** Not the proxy's count: the client pings when it likes. What is asked for in one turn travels together. */
  function roundTrips(driver: Driver): number {
    const connection = network.connectionOf(driver);
    const native = driver.native as { readonly connectionManager: { readonly packetQueue: Queue } } | undefined;
    let bursting = false;
    if (native !== undefined)
      onCalls(native.connectionManager.packetQueue, 'push', () => {
        if (bursting) return;
        bursting = true;
        connection.trips++;
        process.nextTick(() => {
          bursting = false;
        });
      });
    return connection.trips;
  }

  async function watches(): Promise<number> {
    const answers = await Promise.all(members.map(member => member.fourLetters('wchs')));
    return answers.reduce((sum, answer) => sum + Number(/Total watches:(\d+)/.exec(answer)?.[1] ?? Number.NaN), 0);
  }

  async function contenders(driver: Driver, lock: string): Promise<number> {
    const { root } = network.connectionOf(driver);
    return contendersIn(zookeeper({ hosts: members.map(({ host }) => host), root, ...options, ...tls(), tickTime }), lock);
  }

  conformance(
    { test, expect },
    {
      name,
      ...network.hooks,
      ...(owned ? { restart: async () => void (await Promise.all(members.map(member => member.restart('kept')))) } : {}),
      async expireSession(driver, session) {
        const { sessions } = network.connectionOf(driver);
        // On a busy machine it may still be on its way.
        if (session === undefined) await until('a session to end', () => sessions.length > 0);
        const expiring = session === undefined ? sessions : [session];
        const numbers = new Set(expiring.map(({ id }) => BigInt(`0x${id.split('-')[0]}`)));
        await Promise.all([...numbers].map(async number => members[0]?.endSession(number, options.auth as PasswordAuth | undefined)));
      },
      roundTrips,
      // What is not there yet, or is to be as it was read, is read before it is written.
      tripsPerCall: 2,
      ...(recursive ? { serverWatches: watches } : {}),
      contenders,
      silence: 2000,
    },
    selection,
  );
}
