/**
 * The servers that the tests run against (spec/servers/), by hand:
 *
 *   node scripts/servers.mjs status        which would be used, and why
 *   node scripts/servers.mjs               starts them and prints their URLs, until Ctrl-C
 *   node scripts/servers.mjs etcd redis    only these
 */
import { root, run, tool } from './run.mjs';

const code = await run(tool('tsc'), ['-p', 'spec/servers/tsconfig.command.json'], { quiet: true });
if (code !== 0) process.exit(code);
const { command } = await import(`${root}/.cache/harness/command.js`);
process.exitCode = await command(process.argv.slice(2), `${root}/.cache/servers`);
