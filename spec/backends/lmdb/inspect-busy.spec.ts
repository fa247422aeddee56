/** How many commits an inspection may miss: pages of a state are written over two commits on, and not before. */
import { afterEach, expect, test, vi } from 'vitest';
import { inspect } from '../../../src/backends/lmdb/inspect.js';
import { Folders } from './folders.js';
import { put, Tables } from './tables.js';

const meanwhile = vi.hoisted(() => ({ commits: 0 }));
vi.mock(import('../../../src/backends/lmdb/meta.js'), async original => {
  const { newestTransaction, ...others } = await original();
  return { ...others, newestTransaction: (file, pageSize) => newestTransaction(file, pageSize) + meanwhile.commits };
});

const folders = new Folders();
const tables = new Tables();
afterEach(async () => {
  await tables.end();
  folders.end();
});

test.each([
  { commits: 0, verdict: 'healthy' },
  { commits: 1, verdict: 'healthy' },
  { commits: 2, verdict: 'busy' },
  { commits: 9, verdict: 'busy' },
])('after $commits commits while it was read it is $verdict', async ({ commits, verdict }) => {
  const path = folders.fresh();
  await put(await tables.open(path), { a: '1' });
  meanwhile.commits = commits;
  const inspection = await inspect(path);
  meanwhile.commits = 0;
  expect(inspection.verdict).toBe(verdict);
  expect(inspection.contents === undefined).toBe(verdict === 'busy');
});
