/** A process that writes a key, says `{ read }` of it, and ends. */
import { createStore, text } from '../../../dist/esm/index.js';
import { lmdb } from '../../../dist/esm/backends/lmdb/index.js';

const { path } = JSON.parse(process.argv[2]);
const store = createStore(lmdb({ path }));
await store.put('a', '1');
console.log(JSON.stringify({ read: text(await store.get('a')) }));
await store.close();
