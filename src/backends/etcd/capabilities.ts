/** Capabilities of etcd: linearizable, transactional, with a history that watches go on from. */
import type { Capabilities } from '../../capabilities.js';
import { maxKeyBytes } from '../../key.js';

const second = 1000;

/** Bytes: a request has 1.5 MiB at a server's defaults, of which keys and framing need some. */
const mostBytes = 1_441_792;

/** A server takes 128 at its defaults, nested ones counted with those around them; ours are nested by a few. */
export const maxOps = 120;

export const capabilities: Capabilities = {
  atomic: 'range',
  consistentList: true,
  strongReads: 'linearizable',
  compareAndSet: 'exact',
  locks: 'strict',
  fair: true,
  resumes: true,
  ttlBoundTo: 'server',
  // One and a half election timeouts, rounded up to seconds, at a server's defaults; a slower one grants more.
  minTtl: 2 * second,
  maxTtl: 9_000_000_000 * second,
  // Leases have whole seconds, and are looked through twice a second.
  ttlLag: 2 * second,
  maxKey: maxKeyBytes,
  maxValue: mostBytes,
  maxTransaction: mostBytes,
  maxOps,
};
