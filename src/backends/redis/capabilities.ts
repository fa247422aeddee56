/** Capabilities of Redis: one server does all in one step, a cluster only what is in one slot; what fails over may lose writes. */
import type { Capabilities } from '../../capabilities.js';
import { maxKeyBytes } from '../../key.js';
import { isTagged } from './slot.js';

const MiB = 2 ** 20;

/** @param root  one with a hash tag has all its keys in one slot of a cluster */
export function capabilitiesOf({ cluster, root }: { readonly cluster: boolean; readonly root: string }): Capabilities {
  return {
    atomic: cluster && !isTagged(root) ? 'key' : 'range',
    // A cluster is read node by node, and a slot may be on its way between two of them.
    consistentList: !cluster,
    strongReads: 'best-effort',
    // Somebody else's write is a conflict, unless it left the very same bytes.
    compareAndSet: 'own-writers',
    locks: 'advisory',
    fair: true,
    resumes: false,
    ttlBoundTo: 'server',
    minTtl: 10,
    // Whole ms that are exact, with as much again for the date.
    maxTtl: 2 ** 52,
    ttlLag: 1000,
    maxKey: maxKeyBytes,
    // Redis takes 512 MiB, and answers nobody else while a script copies them.
    maxValue: 16 * MiB,
    maxTransaction: 32 * MiB,
    maxOps: 1000,
  };
}
