/** A harness: what the suite must know of a backend to prove its driver, and the faults it can put on the way. */
import type { Driver, Session } from '../driver.js';

/** The part of a test runner that the suite uses. Those of vitest, jest and bun fit as they are. */
export interface Runner {
  readonly test: TestFunction;
  readonly expect: Expect;
}

export interface TestFunction {
  (name: string, body: () => Promise<void>, timeout?: number): unknown;
  /** Without it a skipped test is an empty one with the reason in its name. */
  readonly skip?: (name: string, body: () => Promise<void>) => unknown;
}

export type Expect = (actual: unknown) => Matchers;

export interface Matchers {
  toBe(expected: unknown): unknown;
  toEqual(expected: unknown): unknown;
  toContain(expected: unknown): unknown;
  toBeUndefined(): unknown;
  toBeGreaterThan(expected: number | bigint): unknown;
  toBeGreaterThanOrEqual(expected: number | bigint): unknown;
  toBeLessThanOrEqual(expected: number | bigint): unknown;
}

/**
 * How the suite reaches one backend.
 *
 * Only `name` and `connect` are needed. A hook that is left out lists its tests as skipped, by name. Each hook
 * that takes a driver concerns that connection alone, so that one client can be cut off while another writes.
 *
 * @example
 * import { expect, test } from 'vitest';
 * conformance({ test, expect }, { name: 'dynamo', connect: ({ root }) => dynamo({ table: 'test', root }) });
 */
export interface Harness {
  /** First word of every title. */
  readonly name: string;
  /**
   * A new driver, which is a new connection to the same server below that root. Called at least once for each
   * test, and once while the tests are listed, to read the capabilities: that driver is closed unused. Where it
   * answers with a promise the capabilities are not known then, and a test that needs one ends at once.
   */
  connect(options: { readonly root: string }): Driver | Promise<Driver>;

  /** Cuts the connection: what is open breaks, what is asked is refused, until `heal`. */
  cut?(driver: Driver): void | Promise<void>;
  /** Mends what `cut` and `hang` did. */
  heal?(driver: Driver): void | Promise<void>;
  /** The peer stays connected and says nothing, until `heal`. */
  hang?(driver: Driver): void | Promise<void>;
  /** Stops and starts the server, with its data; resolves when it answers again. */
  restart?(): void | Promise<void>;
  /**
   * Ends on the server a session of this connection, or all of them where none is named, as an operator or a
   * long pause would. May end those of other connections too.
   */
  expireSession?(driver: Driver, session?: Session): void | Promise<void>;
  /**
   * Deletes the record of whoever holds that lock, as an operator would. Only where the locks of the driver are
   * not records that it lists below `~rxkv/`: there the suite deletes the oldest leased one itself.
   */
  evict?(driver: Driver, lock: string): void | Promise<void>;
  /** The server forgets its history: no feed can resume from before. */
  compact?(): void | Promise<void>;

  /** Round trips this connection has made so far. */
  roundTrips?(driver: Driver): number;
  /** Watches that the server keeps for this connection now. */
  serverWatches?(driver: Driver): number | Promise<number>;
  /** How many hold or await the lock of that name, as the server sees it. */
  contenders?(driver: Driver, lock: string): number | Promise<number>;

  /** Factor on how long the suite waits before it calls something missing; 1 */
  readonly patience?: number;
  /** ms of `silence` in the tests of faults: short makes them quick; 2000 */
  readonly silence?: number;
  /** Round trips that a get, put, atomicPut, atomicDelete and delete may take; 1 */
  readonly tripsPerCall?: number;
}

/** The optional functions of a harness, by which tests say what they need. */
export type Hook = 'cut' | 'heal' | 'hang' | 'restart' | 'expireSession' | 'compact' | 'roundTrips' | 'serverWatches' | 'contenders';
