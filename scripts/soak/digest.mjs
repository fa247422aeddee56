/** A digest of keys and values, whatever order they come in. */
import { createHash } from 'node:crypto';

export function digest(entries) {
  const hash = createHash('sha256');
  for (const [key, value] of entries.toSorted(([a], [b]) => (a < b ? -1 : 1))) hash.update(JSON.stringify([key, value]));
  return hash.digest('hex');
}
