/**
 * Mutation testing: plants one small mistake after another in the core and looks whether the specs and laws notice.
 *
 *   node scripts/mutate.mjs                      every file that stryker.config.mjs names: most of an hour
 *   node scripts/mutate.mjs src/lease.ts         one file; src/lease.ts:30-60 for some of its lines
 *
 * A mutant that survives is a line that no test needs: write the test, or see that nobody could tell the difference.
 * Stryker is installed in scripts/mutation/ by the first run that needs it, since only few ever do. Prints what
 * survived; the whole report is .cache/mutation.json.
 */
import { existsSync, statSync } from 'node:fs';
import { root, run } from './run.mjs';

const here = `${root}/scripts/mutation`;
const files = process.argv.slice(2);

if (!installed()) await step('npm', ['ci', '--prefix', here, '--ignore-scripts', '--no-audit', '--no-fund']);
const only = files.length === 0 ? [] : ['--mutate', files.join(',')];
await step(process.execPath, [`${here}/node_modules/@stryker-mutator/core/bin/stryker.js`, 'run', `${here}/stryker.config.mjs`, ...only]);

async function step(command, args) {
  const code = await run(command, args);
  if (code !== 0) process.exit(code);
}

/** Whether Stryker is there as the lock file wants it. */
function installed() {
  const made = `${here}/node_modules/.package-lock.json`;
  return existsSync(made) && statSync(made).mtimeMs >= statSync(`${here}/package-lock.json`).mtimeMs;
}
