/**
 * The whole check of a change, in the order in which a mistake shows soonest: types, lint, format, build, tests.
 *
 *   npm test                        everything, property tests at their everyday size
 *   npm test -- spec/lock           the build, then only the tests whose path holds this
 *   npm test -- --project property  the build, then one project (spec, property, servers, packaging)
 *   npm run test:all                everything, on every configuration of the servers too, then the property tests
 *                                   again at nightly size
 *
 * Stops at the first step that fails. The build comes before the tests because tests that start other
 * processes run compiled code from dist/, and the packaging tests pack it.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { root, run, tool } from './run.mjs';

/** Runs of each property at nightly size; everyday is in property-tests/configure.ts. */
const nightlyRuns = 2000;

const args = process.argv.slice(2);
const nightly = args.includes('--nightly');
/** What the conformance suite is whole on, beside one plain server of each backend: spec/conformance/matrix.ts. */
const matrix = nightly ? { RXKV_SERVER_MATRIX: 'full' } : {};
const filters = args.filter(arg => arg !== '--nightly');

const check = [
  ['types', tool('tsc'), ['-p', 'tsconfig.json']],
  ['types of the core, without Node', tool('tsc'), ['-p', 'tsconfig.core.json']],
  ['lint', tool('oxlint'), []],
  ['format', tool('biome'), ['format', '.']],
];
const build = ['build', process.execPath, ['scripts/build.mjs']];
const tests = filters.length === 0 ? vitest('tests', [], matrix) : vitest(`tests (${filters.join(' ')})`, filters, matrix);
const long = vitest(`property tests, ${nightlyRuns} runs each`, ['--project', 'property'], { RXKV_RUNS: String(nightlyRuns) });
const steps = [...(filters.length === 0 ? check : []), build, tests, ...(nightly ? [long] : [])];

const began = performance.now();
const report = `${root}/.cache/vitest.json`;
const total = { passed: 0, failed: 0, skipped: 0 };
const ran = [];
for (const [name, command, commandArgs, env] of steps) {
  console.log(`\n== ${name}`);
  const stepBegan = performance.now();
  rmSync(report, { force: true });
  const code = await run(command, commandArgs, { env });
  count();
  const took = seconds(stepBegan);
  if (code !== 0) {
    console.log(`\n== ${name} failed after ${took}; ran ${[...ran, name].join(', ')} in ${seconds(began)}`);
    tally();
    process.exit(1);
  }
  ran.push(`${name} ${took}`);
}
console.log(`\n== all good in ${seconds(began)}: ${ran.join(', ')}`);
tally();

function vitest(name, more, env) {
  return [name, tool('vitest'), ['run', '--reporter=default', '--reporter=json', '--outputFile.json=.cache/vitest.json', ...more], env];
}

/** Adds what the step's tests came to; a step without tests leaves no report. */
function count() {
  mkdirSync(`${root}/.cache`, { recursive: true });
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(report, 'utf8'));
    total.passed += numPassedTests;
    total.failed += numFailedTests;
    total.skipped += numPendingTests + numTodoTests;
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

function tally() {
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
