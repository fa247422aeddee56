/** Opens a table in each of the folders and says `{ opened: head, rows }` or `{ refused: code, message }`; ends by itself. */
import { openTable } from '../../../dist/esm/backends/lmdb/table.js';

const { paths } = JSON.parse(process.argv[2]);
function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
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
