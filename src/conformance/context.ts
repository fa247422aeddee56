/** A context: what one test works with, made fresh for it below a root of its own, and cleared away after it. */
import type { Observable } from 'rxjs';
import type { Capabilities } from '../capabilities.js';
import type { Driver } from '../driver.js';
import type { Store, StoreOptions } from '../interface.js';
import { silent } from '../logger.js';
import { createStore } from '../store.js';
import type { Expect, Harness } from './harness.js';
import { Recording } from './recording.js';
import { settles } from './waiting.js';

/** How a test reaches its keys. In the first two, writer and reader are one store. */
export type Way = 'bare' | 'through a view' | 'on two connections';

export const ways: readonly Way[] = ['bare', 'through a view', 'on two connections'];

/** A store with a connection of its own. */
export interface Connection {
  /** As the test sees it: the store, or the view of it. */
  readonly store: Store;
  /** The store with nothing before its keys. */
  readonly whole: Store;
  readonly driver: Driver;
}

export interface Context {
  readonly harness: Harness;
  readonly expect: Expect;
  readonly capabilities: Capabilities;
  readonly way: Way;
  /** The path of the view: '' or ending in '/'. */
  readonly base: string;
  readonly writer: Store;
  readonly reader: Store;
  readonly writing: Connection;
  readonly reading: Connection;
  /** ms that a wait may take. */
  readonly limit: number;
  /** ms: a ttl that the driver takes as it is, and that ends soon. */
  readonly ttl: number;
  /** ms of `silence` where faults are tested. */
  readonly silence: number;
  /** One connection more, below the same root and seen in the same way. `prepare` has the driver before the store. */
  readonly connect: (prepare?: (driver: Driver) => void) => Promise<Connection>;
  /** A store below a root beside this one, whose name begins as this one's does. */
  readonly beside: () => Promise<Store>;
  /** A driver on a connection of its own, started, with no store over it. */
  readonly bare: () => Promise<Driver>;
  /** Subscribes and records, until the test ends. */
  readonly record: <T>(source: Observable<T>) => Recording<T>;
}

export type Body = (context: Context) => Promise<void>;

const view = 'some/prefix';

/**
 * Runs the body in a fresh context. Afterwards its faults are healed, its keys deleted and its stores closed;
 * that close() settles is part of what each test proves.
 */
export async function inContext(harness: Harness, expect: Expect, way: Way, options: StoreOptions, body: Body): Promise<void> {
  const root = `conformance-${Math.random().toString(36).slice(2, 12)}`;
  const limit = 5000 * (harness.patience ?? 1);
  const connections: Connection[] = [];
  const recordings: Recording<unknown>[] = [];
  const drivers: Driver[] = [];
  const endings: Promise<void>[] = [];

  const roots = new Set([root]);
  const connect = async (below: string, prepare?: (driver: Driver) => void): Promise<Connection> => {
    const driver = await harness.connect({ root: below });
    roots.add(below);
    prepare?.(driver);
    const whole = createStore(driver, options);
    const connection = { driver, whole, store: way === 'through a view' ? whole.at(view) : whole };
    connections.push(connection);
    return connection;
  };
  const beside = async (): Promise<Store> => (await connect(`${root}-beside`)).store;
  const bare = async (): Promise<Driver> => {
    const driver = await harness.connect({ root });
    const { timeout = 5000, silence = 10_000 } = options;
    driver.start({ timeout, silence, logger: silent, ending: work => endings.push(work) });
    drivers.push(driver);
    return driver;
  };
  const record = <T>(source: Observable<T>): Recording<T> => {
    const recording = new Recording(source, limit);
    recordings.push(recording);
    return recording;
  };

  let failed = true;
  try {
    const writing = await connect(root);
    const reading = way === 'on two connections' ? await connect(root) : writing;
    const { capabilities } = writing.whole;
    await body({
      harness,
      expect,
      capabilities,
      way,
      base: way === 'through a view' ? `${view}/` : '',
      writer: writing.store,
      reader: reading.store,
      writing,
      reading,
      limit,
      ttl: Math.max(capabilities.minTtl, 1000),
      silence: harness.silence ?? 2000,
      connect: async prepare => connect(root, prepare),
      beside,
      bare,
      record,
    });
    failed = false;
  } finally {
    for (const recording of recordings) recording.unsubscribe();
    const cleared = clear(harness, connections, drivers, endings, limit, roots);
    // What failed first is what matters: a failure to clear away would hide it.
    await (failed ? cleared.catch(() => undefined) : cleared);
  }
}

async function clear(
  harness: Harness,
  connections: readonly Connection[],
  drivers: readonly Driver[],
  endings: readonly Promise<void>[],
  limit: number,
  roots: ReadonlySet<string>,
): Promise<void> {
  for (const { driver } of connections) await harness.heal?.(driver);
  for (const driver of drivers) await harness.heal?.(driver);
  await settles(Promise.all(endings), 'what teardowns started to end', limit * 2);
  await Promise.all(drivers.map(async driver => settles(driver.close(), 'close() of a driver to settle', limit * 2)));
  await Promise.all(connections.map(async ({ whole }) => settles(whole.close(), 'close() to settle', limit * 2)));
  for (const root of roots) {
    const sweeper = createStore(await harness.connect({ root }));
    await sweeper.deleteTree('');
    await settles(sweeper.close(), 'close() to settle', limit * 2);
  }
}
