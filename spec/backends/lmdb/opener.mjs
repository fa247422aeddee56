/** Opens a folder, reads a key and closes it, over and over; says `{ opened }` each time. */
import { createStore } from '../../../dist/esm/index.js';
import { lmdb } from '../../../dist/esm/backends/lmdb/index.js';

const { path } = JSON.parse(process.argv[2]);
for (let opened = 1; ; opened++) {
  const store = createStore(lmdb({ path }));
  await store.get('count');
  await store.close();
  process.stdout.write(`${JSON.stringify({ opened })}\n`);
}
