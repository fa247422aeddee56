/** LMDB: a store in a folder, shared by all processes of one machine, without a server. */
import type { Driver } from '../../driver.js';
import { byteLength } from '../../key.js';
import { createLocalDriver } from '../local/driver.js';
import { capabilitiesOf } from './capabilities.js';
import { type LmdbOptions, settingsOf } from './options.js';
import { openTable } from './table.js';

export { inspect } from './inspect.js';
export type {
  InspectedContents,
  InspectedDatabase,
  InspectedFile,
  InspectedLock,
  InspectedProblem,
  Inspection,
  InspectionVerdict,
} from './inspection.js';
export type { LmdbOptions } from './options.js';

/** ms: what another process wrote with a ttl is looked for this often. */
const sweepEvery = 1000;

/**
 * A driver that keeps everything in a folder of this machine. Any number of processes and worker threads may use
 * it at once; what one writes, the others' watches show within milliseconds. Needs the package `lmdb`, loaded with
 * the first call.
 *
 * A write that resolved is on the disk: it outlives `kill -9` of every process. Not for network file systems, nor
 * for containers that do not share their process ids. A process that is stopped (SIGSTOP, a debugger) in the midst
 * of a write makes the writes of the others wait; reads go on.
 *
 * The first call rejects `unsupported` without the package, `invalid` where the folder holds something else,
 * `denied` without the permission. A full disk is `unavailable`.
 *
 * @param options.path     the folder, made (readable by its owner only) where it is absent
 * @param options.root     a directory that all keys are under
 * @param options.history  transactions that watches can go on from; 100 000
 * @throws KvError `invalid` for an unknown option, a missing path, or a root that is no directory
 * @example
 * const store = createStore(lmdb({ path: './data' }));
 */
export function lmdb(options: LmdbOptions): Driver {
  const { path, root, history } = settingsOf(options);
  return createLocalDriver({
    name: 'lmdb',
    root,
    capabilities: capabilitiesOf(byteLength(root)),
    open: () => openTable({ path, history }),
    sweepEvery,
  });
}
