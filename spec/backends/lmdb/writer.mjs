/**
 * Writes to a table for as long as it lives, `inFlight` transactions to a batch, each to one of its `keys` keys; says
 * `{ acked: [[revision, key], ...] }` after each batch, when all of it is on the disk. `batches`: ends after so many.
 */
import { openTable } from '../../../dist/esm/backends/lmdb/table.js';

const { path, keys, inFlight, name, batches = Infinity } = JSON.parse(process.argv[2]);
const table = await openTable({ path, history: 100_000 });
let count = 0;
for (let batch = 0; batch < batches; batch++) {
  let acked = [];
  await table.commit(view => {
    const draft = new Map();
    const writes = [];
    const log = [];
    acked = [];
    for (let i = 0; i < inFlight; i++) {
      const key = `${name}/${(count + i) % keys}`;
      const before = draft.get(key) ?? view.row(key);
      const revision = view.head + 1 + i;
      const row = {
        key,
        value: new TextEncoder().encode(`${revision}`),
        revision,
        created: before?.created ?? revision,
        expires: 0,
        session: '',
      };
      writes.push({ put: row, before });
      log.push({ revision, changes: [{ put: key }] });
      draft.set(key, row);
      acked.push([revision, key]);
    }
    return { writes, log };
  });
  count += inFlight;
  process.stdout.write(`${JSON.stringify({ acked })}\n`);
}
await table.close();
process.stdout.write(`${JSON.stringify({ done: true })}\n`);
