/**
 * A second process at a table, told by lines on stdin what to do:
 * `{ put: key, value, block? }` commits, blocks its event loop for `block` ms right after handing the write in, and
 * says `{ put: revision }` once it is durable; `{ get: key }` says `{ got: value or null }`; `{ watch: true }` says
 * `{ news: head }` for all news; `{ clock: true }` says `{ clock: ms, boot }`; `{ close: true }` closes and ends by itself. Says `{ ready: true }` first.
 */
import { createInterface } from 'node:readline';
import { openTable } from '../../../dist/esm/backends/lmdb/table.js';

const table = await openTable({ path: JSON.parse(process.argv[2]).path, history: 100_000 });
function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function put({ put: key, value, block }) {
  let revision = 0;
  const written = table.commit(view => {
    revision = view.head + 1;
    const before = view.row(key);
    const row = { key, value: new TextEncoder().encode(value), revision, created: before?.created ?? revision, expires: 0, session: '' };
    return { writes: [{ put: row, before }], log: [{ revision, changes: [{ put: key }] }] };
  });
  if (block !== undefined) {
    say({ blocking: key });
    const end = performance.now() + block;
    while (performance.now() < end);
  }
  await written;
  say({ put: revision });
}

let watching;
const lines = createInterface({ input: process.stdin });
lines.on('line', async line => {
  const command = JSON.parse(line);
  if ('put' in command) await put(command);
  else if ('get' in command) {
    const row = table.view().row(command.get);
    say({ got: row === undefined ? null : new TextDecoder().decode(row.value) });
  } else if ('clock' in command) say({ clock: table.monotonic(), boot: table.boot });
  else if ('watch' in command) {
    watching = table.news$.subscribe(() => say({ news: table.view().head }));
    say({ watching: table.view().head });
  } else {
    watching?.unsubscribe();
    await table.close();
    lines.close();
    say({ closed: true });
  }
});
say({ ready: true });
