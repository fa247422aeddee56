/**
 * Builds dist/: plain tsc twice, ESM and CommonJS, each with declarations and maps.
 *
 * Builds beside dist/ and swaps at the end, so that a failed build leaves the last good one,
 * and a process that runs from dist/ sees one build or the other.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { complaints } from './exports.mjs';
import { root, run, tool } from './run.mjs';

const found = complaints();
if (found.length > 0) {
  for (const line of found) console.error(line);
  process.exit(1);
}

// Beside dist/ and as deep, or the paths in the maps would be wrong after the swap.
const next = `dist-${process.pid}`;
process.on('exit', () => rmSync(`${root}/${next}`, { recursive: true, force: true }));
mkdirSync(`${root}/${next}/cjs`, { recursive: true });
// Without it Node would take .js in here for ESM, as the package's own "type" says.
writeFileSync(`${root}/${next}/cjs/package.json`, `${JSON.stringify({ type: 'commonjs', sideEffects: false }, null, 2)}\n`);

for (const [project, folder] of [
  ['tsconfig.build.json', 'esm'],
  ['tsconfig.cjs.json', 'cjs'],
]) {
  const code = await run(tool('tsc'), ['-p', project, '--outDir', `${next}/${folder}`]);
  if (code !== 0) process.exit(code);
}

const old = `${root}/${next}-old`;
try {
  renameSync(`${root}/dist`, old);
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
}
renameSync(`${root}/${next}`, `${root}/dist`);
rmSync(old, { recursive: true, force: true });
