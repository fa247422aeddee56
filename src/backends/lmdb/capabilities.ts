/** Capabilities of LMDB: one machine, any number of its processes, transactions over everything. */
import type { Capabilities } from '../../capabilities.js';
import { maxKeyBytes } from '../../key.js';
import { maxWholeKey } from './layout.js';

const MiB = 2 ** 20;

/** @param rootBytes what the root takes from the length of a key */
export function capabilitiesOf(rootBytes: number): Capabilities {
  return {
    atomic: 'range',
    consistentList: true,
    strongReads: 'linearizable',
    compareAndSet: 'exact',
    locks: 'strict',
    fair: true,
    resumes: true,
    ttlBoundTo: 'server',
    minTtl: 100,
    maxTtl: Infinity,
    // A process that sleeps sweeps late; one that is awake looks each second.
    ttlLag: 2000,
    maxKey: Math.min(maxKeyBytes, maxWholeKey - rootBytes),
    maxValue: 64 * MiB,
    maxTransaction: 256 * MiB,
    maxOps: 100_000,
  };
}
