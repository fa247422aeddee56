/**
 * Tools of other people's projects: Jest with ts-jest, the last TypeScript with a compiler in JavaScript, esbuild.
 *
 * Ours are newer and do not take their place. They are installed once, as tools/package-lock.json says, into an
 * ignored folder; a run after that needs no registry.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'vitest';
import { execute, root } from './execute.js';

/** The folder with their node_modules, or why there is none. */
export type Tools = { readonly kind: 'installed'; readonly folder: string } | { readonly kind: 'missing'; readonly why: string };

/** Beside the unpacked servers: `npm ci` empties node_modules. */
const kept = join(root, '.cache/packaging');
const wanted = fileURLToPath(new URL('tools', import.meta.url));

/**
 * Installs them where they are not there as the lock file wants them.
 *
 * @throws Error where they cannot be had and `CI=true` or `RXKV_REQUIRE_SERVERS=1` promises them
 */
export async function provideTools(env: NodeJS.ProcessEnv, folder: string = kept): Promise<Tools> {
  if (installed(folder)) return { kind: 'installed', folder };
  mkdirSync(dirname(folder), { recursive: true });
  // Under its name only when it is whole, so that an interrupted install is none.
  const fresh = mkdtempSync(`${folder}.`);
  try {
    for (const file of ['package.json', 'package-lock.json']) cpSync(join(wanted, file), join(fresh, file));
    // Their scripts only fetch or build what is in optional packages anyway.
    const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--fetch-timeout=600000'];
    await execute('npm', ['ci', ...flags], fresh, { timeout: 300_000, env });
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
    return { kind: 'installed', folder };
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    const why = `Jest, TypeScript 5.9 and esbuild could not be installed: ${error instanceof Error ? error.message : String(error)}`;
    if (required(env)) throw new Error(why, { cause: error });
    return { kind: 'missing', why };
  }
}

/** The folder, for tests that are then defined; where there is none, one skipped test says why. */
export function withTools(tools: Tools, title: string, define: (folder: string) => void): void {
  if (tools.kind === 'installed') define(tools.folder);
  else test.skipIf(true)(`${title} (${tools.why.split('\n')[0]})`, () => undefined);
}

function installed(folder: string): boolean {
  const lock = join(folder, 'package-lock.json');
  return (
    existsSync(join(folder, 'node_modules')) &&
    existsSync(lock) &&
    readFileSync(lock, 'utf8') === readFileSync(join(wanted, 'package-lock.json'), 'utf8')
  );
}

/** As with servers: what a run promises is a failure when it cannot be had. */
function required(env: NodeJS.ProcessEnv): boolean {
  return env.CI === 'true' || env.CI === '1' || env.RXKV_REQUIRE_SERVERS === '1';
}
