/**
 * The other process of the latency bench: watches the tree and tells how late each event was, by the time that
 * its value holds. Says `true` once it has the tree, and all it has measured when asked for a number of events.
 */
import { createStore, deltas } from 'rxkv';
import { lmdb } from 'rxkv/lmdb';
import { clock } from './clock.js';

const store = createStore(lmdb({ path: process.argv[2] as string }));
const late: number[] = [];
let wanted = Infinity;

const answer = (): void => {
  if (late.length >= wanted) process.send?.(late);
};
process.on('message', count => {
  wanted = count as number;
  answer();
});
store
  .watchTree$('services')
  .pipe(deltas({ initial: 'skip' }))
  .subscribe(({ changes, initial }) => {
    const now = clock();
    for (const { entry } of changes) if (entry !== undefined) late.push(now - sentAt(entry.value));
    if (initial) process.send?.(true);
    else answer();
  });

function sentAt(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset, value.byteLength).getFloat64(0);
}
