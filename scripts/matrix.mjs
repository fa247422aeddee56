/**
 * The specs, the laws and the packed package on every Node that is supported, one after the other; servers excluded.
 *
 *   npm run test:node                      all of them
 *   npm run test:node -- 22                one
 *   npm run test:node -- 22 24 spec/lock   the tests whose path holds this
 *
 * One line a version, and of a failure what the tests said. A Node that is not the one that runs this comes from the
 * package registry, as the package of its binary for this machine, into .cache/nodes/ (some 190 MB each).
 */
import { mkdirSync, existsSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, run } from './run.mjs';

/** Majors, the oldest as "engines" of package.json has it. */
export const versions = ['20', '22', '24'];

const projects = ['spec', 'property', 'packaging'];
const cache = `${root}/.cache/nodes`;

async function main(args) {
  const wanted = args.filter(arg => versions.includes(arg));
  const filters = args.filter(arg => !versions.includes(arg));
  if ((await run(process.execPath, ['scripts/build.mjs'])) !== 0) return 1;
  mkdirSync(cache, { recursive: true });
  let failed = 0;
  for (const version of wanted.length === 0 ? versions : wanted) {
    const node = await binaryOf(version);
    if (node === undefined || !(await passes(version, node, filters))) failed++;
  }
  return failed === 0 ? 0 : 1;
}

/** This Node, or one from the registry. */
async function binaryOf(version) {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath;
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const folder = `${cache}/${version}`;
  const binary = `${folder}/node_modules/${name}/bin/node${process.platform === 'win32' ? '.exe' : ''}`;
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/package.json`, '{ "private": true }\n');
    // To stderr: stdout has one line a version.
    const code = await run('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', `${name}@${version}`], { quiet: true });
    if (code !== 0 || !existsSync(binary)) {
      console.log(`node ${version}  FAILED: the package ${name}@${version} could not be installed`);
      return undefined;
    }
  }
  return binary;
}

/** Runs the tests on that Node; whether all passed. */
async function passes(version, node, filters) {
  const report = `${cache}/${version}.json`;
  const log = `${cache}/${version}.log`;
  rmSync(report, { force: true });
  const began = performance.now();
  const code = await logged(log, node, [
    `${root}/node_modules/vitest/vitest.mjs`,
    'run',
    ...projects.flatMap(name => ['--project', name]),
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    ...filters,
  ]);
  const took = `${((performance.now() - began) / 1000).toFixed(0)} s`;
  const figures = existsSync(report) ? figuresOf(JSON.parse(readFileSync(report, 'utf8'))) : 'no test ran';
  console.log(`node ${await versionOf(node)}  ${code === 0 ? 'passed' : 'FAILED'}: ${figures} in ${took}`);
  if (code !== 0) console.log(readFileSync(log, 'utf8'));
  return code === 0;
}

/** With that Node first in the path, for what the tests start by name. */
function logged(file, node, args) {
  const output = openSync(file, 'w');
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}`, NO_COLOR: '1' };
  return new Promise((resolve, reject) => {
    const child = spawn(node, args, { cwd: root, env, stdio: ['ignore', output, output] });
    child.on('error', reject);
    child.on('exit', code => resolve(code ?? 1));
  }).finally(() => closeSync(output));
}

function versionOf(node) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, ['-p', 'process.versions.node'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', chunk => (said += chunk));
    child.on('error', reject);
    child.on('close', () => resolve(said.trim()));
  });
}

function figuresOf({ numPassedTests, numFailedTests, numPendingTests, numTodoTests }) {
  return `${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests + numTodoTests} skipped`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
