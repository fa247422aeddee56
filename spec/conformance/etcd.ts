/** The suite on etcd: the harness that all of its configurations share. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { etcd } from '../../src/backends/etcd/index.js';
import type { EtcdOptions } from '../../src/backends/etcd/options.js';
import { conformance, type Selection } from '../../src/conformance/index.js';
import type { Driver } from '../../src/driver.js';
import { Operator, type User } from '../backends/etcd/operator.js';
import type { Etcd } from '../servers/etcd.js';
import { showLogsOnFailure } from '../servers/suite.js';
import { contendersIn, onCalls } from './instruments.js';
import { Network } from './network.js';

/** The servers of one configuration, and who may use them. */
export interface Configuration {
  /** First word of every title. */
  readonly name: string;
  readonly start: () => Promise<readonly Etcd[]>;
  /** Where the servers want a user. */
  readonly user?: User;
  /** Whether they are ours to stop; true */
  readonly owned?: boolean;
}

/** Where all calls of an Etcd3 go through. */
type Pool = Record<'exec', (...call: never[]) => unknown>;

/** Call it inside a describe: the servers live as long as its tests. */
export function suiteOnEtcd({ name, start, user, owned = true }: Configuration, selection?: Selection): void {
  let members: readonly Etcd[] = [];
  const network = new Network(options => etcd({ ...options, ...access() }));
  const operator = (): Operator => new Operator(members, user);
  beforeAll(async () => {
    members = await start();
    network.open(...members.map(({ host }) => host));
  });
  afterAll(async () => {
    await network.close();
    await Promise.all(members.map(member => member[Symbol.asyncDispose]()));
  });
  showLogsOnFailure(() => members.map(member => member.log()).join('\n'));

  function access(): Pick<EtcdOptions, 'tls' | 'auth'> {
    const [member] = members;
    const { ca, client } = member?.certificates ?? {};
    return { ...(user === undefined ? {} : { auth: user }), ...(ca === undefined ? {} : { tls: { ca, ...client } }) };
  }

  /** Not the proxy's count: HTTP/2 answers pings and widens windows when it likes. */
  function roundTrips(driver: Driver): number {
    const connection = network.connectionOf(driver);
    const pool = (driver.native as { readonly kv: { readonly client: Pool } } | undefined)?.kv.client;
    if (pool !== undefined) onCalls(pool, 'exec', () => connection.trips++);
    return connection.trips;
  }

  async function contenders(driver: Driver, lock: string): Promise<number> {
    const { root } = network.connectionOf(driver);
    return contendersIn(etcd({ hosts: members.map(({ host }) => host), root, ...access() }), lock);
  }

  conformance(
    { test, expect },
    {
      name,
      ...network.hooks,
      ...(owned ? { restart: async () => void (await Promise.all(members.map(member => member.restart('kept')))) } : {}),
      async expireSession(driver, session) {
        const expiring = session === undefined ? network.connectionOf(driver).sessions : [session];
        await Promise.all(expiring.map(({ id }) => operator().revoke(id)));
      },
      compact: () => operator().compact(),
      roundTrips,
      serverWatches: () => operator().watches(),
      contenders,
      silence: 2000,
    },
    selection,
  );
}
