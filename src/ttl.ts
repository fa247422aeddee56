/** A ttl as it is granted. */
import type { Capabilities } from './capabilities.js';
import { KvError } from './errors.js';

/**
 * The ttl in whole ms, rounded up to the backend's minimum.
 *
 * @throws KvError `invalid` for what is not a number over 0, or is over the maximum
 */
export function grantedTtl(ttl: number, { minTtl, maxTtl }: Capabilities, backend: string): number {
  if (typeof ttl !== 'number' || !(ttl > 0) || ttl === Infinity)
    throw new KvError('invalid', 'a ttl is a finite number of ms over 0', { backend });
  if (ttl > maxTtl) throw new KvError('invalid', `ttl ${ttl} ms is over ${backend}'s maximum of ${maxTtl} ms`, { backend });
  return Math.max(minTtl, Math.ceil(ttl));
}
