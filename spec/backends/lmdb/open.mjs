/**
 * Opens a table in each of the folders and says `{ opened: head, rows }` or `{ refused: code, message }`; ends by itself.
 * As `user`, where one is given: after everything is loaded, since that user need not be able to read the checkout.
 */
import 'lmdb';
import { openTable } from '../../../dist/esm/backends/lmdb/table.js';

const { paths, user } = JSON.parse(process.argv[2]);
function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

if (user !== undefined) {
  process.setgid(user);
  process.setuid(user);
}
for (const path of paths) {
  try {
    const table = await openTable({ path, history: 100_000 });
    say({ opened: table.view().head, rows: [...table.view().rows('', undefined)].length });
    await table.close();
  } catch (error) {
    say({ refused: error.code, message: error.message });
  }
}
