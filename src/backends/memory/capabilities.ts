/** Capabilities of memory: everything, since there is nothing in between. */
import type { Capabilities } from '../../capabilities.js';
import { maxKeyBytes } from '../../key.js';

const MiB = 2 ** 20;

export const capabilities: Capabilities = Object.freeze({
  atomic: 'range',
  consistentList: true,
  strongReads: 'linearizable',
  compareAndSet: 'exact',
  locks: 'strict',
  fair: true,
  resumes: true,
  ttlBoundTo: 'server',
  minTtl: 10,
  maxTtl: Infinity,
  ttlLag: 500,
  maxKey: maxKeyBytes,
  maxValue: 64 * MiB,
  maxTransaction: 256 * MiB,
  maxOps: 100_000,
});
