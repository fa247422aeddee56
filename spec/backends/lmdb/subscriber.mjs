/**
 * Subscribes and unsubscribes a thousand times, to everything that a store has to subscribe to; says what is left
 * of it: the handles before and after, and by how many bytes the heap grew.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createStore } from '../../../dist/esm/index.js';
import { lmdb } from '../../../dist/esm/backends/lmdb/index.js';
import { memory } from '../../../dist/esm/backends/memory/index.js';

const { backend, path, cycles } = JSON.parse(process.argv[2]);
setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc');
const store = createStore(backend === 'lmdb' ? lmdb({ path }) : memory());
for (let i = 0; i < 100; i++) await store.put(`config/${i}`, `${i}`);

const streams = [
  i => store.watch$(`config/${i % 100}`),
  () => store.watchTree$('config'),
  () => store.watchTree$('config', { depth: 1 }),
  () => store.at('config').watchTree$(''),
  () => store.lock$('lock'),
  () => store.elect$('office', { id: 'me' }),
  () => store.leader$('office'),
  i => store.keepAlive$(`alive/${i % 10}`, '', { ttl: 1000 }),
  () => store.status$,
];

/** One time around: some are heard before they are left, some are left while they begin. */
async function cycle(i) {
  const subscriptions = streams.map(stream => stream(i).subscribe());
  if (i % 10 === 0) await store.get('config/0');
  for (const subscription of subscriptions) subscription.unsubscribe();
  if (i % 50 === 49) await settled();
}

/** Everything that the unsubscribes have started is behind this. */
async function settled() {
  await (await store.lock('lock')).release();
  await (await store.lock('office')).release();
}

async function measured() {
  await settled();
  // What unsubscribes have started goes on for a while: an idle store is one that holds nothing, and it gets there.
  for (let turn = 0; turn < 5 || (turn < 250 && process.getActiveResourcesInfo().length > 0); turn++) {
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  collect();
  return { heap: process.memoryUsage().heapUsed, handles: process.getActiveResourcesInfo().sort() };
}

for (let i = 0; i < 200; i++) await cycle(i);
const before = await measured();
for (let i = 0; i < cycles; i++) await cycle(i);
const after = await measured();
process.stdout.write(`${JSON.stringify({ grew: after.heap - before.heap, before: before.handles, after: after.handles })}\n`);
await store.close();
