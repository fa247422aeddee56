/** Builds the package and the demo, silently unless something is wrong, and runs the demo: `npm start -- file.json`. */
import { root, run, tool } from './run.mjs';

const steps = [
  [process.execPath, ['scripts/build.mjs']],
  [tool('tsc'), ['-p', 'tsconfig.demo.json']],
];
for (const [command, args] of steps) {
  const code = await run(command, args, { quiet: true });
  if (code !== 0) process.exit(code);
}
process.exitCode = await run(process.execPath, ['--enable-source-maps', `${root}/.cache/demo/main.js`, ...process.argv.slice(2)]);
