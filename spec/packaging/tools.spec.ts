/** Tools that cannot be had: a failure where they are promised, a skip in words elsewhere. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { provideTools } from './tools.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rxkv-tools-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Nothing listens there, and nothing was kept from earlier. */
function cutOff(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const registry = { npm_config_registry: 'http://127.0.0.1:9/', npm_config_fetch_retries: '0' };
  return { ...process.env, CI: '', RXKV_REQUIRE_SERVERS: '', ...registry, npm_config_cache: join(folder, 'cache'), ...env };
}

test('without a registry they are missing, and nothing is left of the attempt', async () => {
  const tools = await provideTools(cutOff({}), join(folder, 'tools'));
  expect(tools).toEqual({ kind: 'missing', why: expect.stringContaining('could not be installed: npm ci') });
  expect(readdirSync(folder).filter(name => name.startsWith('tools'))).toEqual([]);
});

test.each([{ CI: 'true' }, { RXKV_REQUIRE_SERVERS: '1' }])('where they are required that is an error: %o', async env => {
  await expect(provideTools(cutOff(env), join(folder, 'tools'))).rejects.toThrow('could not be installed');
});
