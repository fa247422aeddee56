/** The soak, for some seconds; `npm run soak` is the same for minutes. */
import { expect, test } from 'vitest';
import { attempt, root } from './packaging/execute.js';

test('processes that write, follow and lock while they are killed come to one state, and add up', { timeout: 120_000 }, async () => {
  const { code, stdout, stderr } = await attempt(
    process.execPath,
    ['scripts/soak.mjs', '--seconds', '10', '--built', '--seed', '1'],
    root,
    {
      timeout: 100_000,
    },
  );
  expect(stderr).toBe('');
  expect(stdout).toContain('all held');
  expect(code).toBe(0);
  // Or nothing would have been soaked.
  const figure = (what: string): number => Number(new RegExp(`^${what} +(\\d+)`, 'm').exec(stdout)?.[1]);
  const needed = ['writes acknowledged', 'readers killed', 'candidates killed', 'sections under the lock', 'log reaches back to'];
  expect(needed.filter(what => !(figure(what) > 0))).toEqual([]);
});
