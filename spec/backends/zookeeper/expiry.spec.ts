/** Expiries: what they leave behind in the session that their keys belonged to. */
import { expect, test } from 'vitest';
import { Expiries } from '../../../src/backends/zookeeper/expiry.js';
import { KvError } from '../../../src/index.js';
import { until } from '../../servers/until.js';

test('a key that has gone is remembered by nobody: its session serves thousands of others', async () => {
  const listeners = new Set<(error: KvError) => void>();
  let users = 0;
  const shared = {
    enter() {
      users++;
      return () => void users--;
    },
    whenLost(listener: (error: KvError) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const expiries = new Expiries({
    get: async () => ({ entries: [], revision: 0n }),
    commit: async () => ({ ok: true, results: [] }),
    timeout: 1000,
  });
  expiries.set('goes', 1n, { shared, ttl: 5 });
  expiries.set('stays', 2n, { shared, ttl: 60_000 });
  expect([users, listeners.size]).toEqual([2, 2]);
  await until('the first to have gone', () => users === 1);
  expect(listeners.size).toBe(1);
  for (const lost of listeners) lost(new KvError('session-lost', 'the session has ended'));
  expect([users, listeners.size]).toEqual([0, 0]);
});
