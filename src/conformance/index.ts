/**
 * The conformance suite: proves that a driver keeps the promises of a store, on a server of yours.
 *
 * `docs/conformance.md` says how to run it and what a harness is.
 */
import type { Driver } from '../driver.js';
import type { StoreOptions } from '../interface.js';
import { createStore } from '../store.js';
import { aborting } from './aborting.js';
import { capabilities } from './capabilities.js';
import { close } from './close.js';
import { compareAndSet } from './compare-and-set.js';
import { inContext, type Way } from './context.js';
import { deleteTree } from './delete-tree.js';
import { diffing } from './diffing.js';
import { driverCalls } from './driver-calls.js';
import { electing } from './electing.js';
import { faults } from './faults.js';
import { feeds } from './feeds.js';
import { fencedWrites } from './fenced-writes.js';
import type { Harness, Runner } from './harness.js';
import { keepAlive } from './keep-alive.js';
import { keys } from './keys.js';
import { leaders } from './leaders.js';
import { listing } from './listing.js';
import { locking } from './locking.js';
import { queueing } from './queueing.js';
import { reading } from './reading.js';
import { type Selection, selected } from './selection.js';
import { sessions } from './sessions.js';
import type { Proof, Topic } from './topic.js';
import { transactions } from './transactions.js';
import { treeWatching } from './tree-watching.js';
import { ttl } from './ttl.js';
import { unanswered } from './unanswered.js';
import { updating } from './updating.js';
import { watching } from './watching.js';
import { writing } from './writing.js';

export type { Way } from './context.js';
export type { Expect, Harness, Hook, Matchers, Runner, TestFunction } from './harness.js';
export type { Selection } from './selection.js';

/** In the order in which a new driver gets them right. */
const topics: readonly Topic[] = [
  capabilities,
  keys,
  reading,
  writing,
  listing,
  compareAndSet,
  updating,
  transactions,
  deleteTree,
  aborting,
  driverCalls,
  feeds,
  watching,
  treeWatching,
  diffing,
  ttl,
  sessions,
  keepAlive,
  locking,
  queueing,
  fencedWrites,
  electing,
  leaders,
  close,
  unanswered,
  faults,
];

/**
 * Lists the tests of the suite with the runner: every promise bare, through a view, and with writer and reader
 * on two connections. Titles read `backend › way › topic › promise`; what cannot be tested is listed as skipped,
 * with the reason in its name.
 *
 * @param selection  the part of it that is listed; all by default
 * @throws Error for a selection of what the suite does not have
 * @example
 * import { expect, test } from 'vitest';
 * import { conformance } from 'rxkv/conformance';
 * conformance({ test, expect }, { name: 'dynamo', connect: ({ root }) => dynamo({ table: 'test', root }) });
 */
export function conformance(runner: Runner, harness: Harness, selection: Selection = {}): void {
  const listed = selected(topics, selection);
  const declared = declaredBy(harness);
  for (const { way, topic, proof } of listed) {
    list(runner, harness, declared, way, proof, `${harness.name} › ${way} › ${topic.name} › ${proof.title}`);
  }
}

function list(runner: Runner, harness: Harness, declared: Declared | undefined, way: Way, proof: Proof, title: string): void {
  const reason = lacking(harness, declared, proof);
  if (reason !== undefined) {
    const skip = runner.test.skip ?? runner.test;
    skip(`${title} (skipped: ${reason})`, async () => undefined);
    return;
  }
  const body = async (): Promise<void> =>
    inContext(harness, runner.expect, way, optionsOf(proof, harness), async context => {
      if (lacking(harness, context.writing.driver, proof) !== undefined) return;
      await proof.body(context);
    });
  runner.test(title, body, timeLimit(harness, declared));
}

/** ms that one test may take. Only what hangs takes so long: waits within a test have shorter limits of their own. */
function timeLimit({ patience = 1 }: Harness, declared: Declared | undefined): number {
  if (declared === undefined) return 120_000 * patience;
  const { minTtl, ttlLag } = declared.capabilities;
  // Four times over is the most that one test waits for something to expire.
  return 40_000 * patience + 4 * (minTtl + ttlLag);
}

/** Why the proof cannot be given, in words. */
function lacking(harness: Harness, declared: Declared | undefined, { hooks = [], capable, networked }: Proof): string | undefined {
  const absent = hooks.filter(hook => harness[hook] === undefined);
  if (absent.length > 0) return `the harness has no ${absent.map(hook => `${hook}()`).join(' and no ')}`;
  if (declared === undefined) return undefined;
  if (networked === true && declared.local === true) return 'the driver is local';
  if (capable?.present(declared.capabilities) === false) return capable.absent;
  return undefined;
}

/** In tests of faults: soon tired of waiting. */
function optionsOf({ faulty = false }: Proof, { silence = 2000 }: Harness): StoreOptions {
  return faulty ? { silence, timeout: silence / 2 } : {};
}

/** What a driver says of itself before any I/O. */
type Declared = Pick<Driver, 'capabilities' | 'local'>;

/** What the driver declares, where that can be had before the first test. */
function declaredBy(harness: Harness): Declared | undefined {
  const driver = harness.connect({ root: 'conformance-listing' });
  if (driver instanceof Promise) {
    // Not awaited, since runners take tests synchronously; given back all the same.
    driver.then(async late => createStore(late).close()).catch(() => undefined);
    return undefined;
  }
  const { capabilities: known, local } = driver;
  void createStore(driver)
    .close()
    .catch(() => undefined);
  return { capabilities: known, ...(local === undefined ? {} : { local }) };
}
