/** Running the project's tools: each inherits our terminal and is waited for. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The top folder of the checkout, without a slash at its end. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');

/** A development tool as npm installed it. */
export function tool(name) {
  return `${root}/node_modules/.bin/${name}`;
}

/** Runs in the top folder; resolves with the exit code (a signal counts as 1). */
export function run(command, args, { env = {}, quiet = false } = {}) {
  return new Promise((resolve, reject) => {
    // quiet: what it prints goes to our stderr, so that our stdout stays the caller's.
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['inherit', quiet ? 2 : 'inherit', 'inherit'],
    });
    child.on('error', reject);
    child.on('exit', code => resolve(code ?? 1));
  });
}
