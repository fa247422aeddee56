/**
 * A process with a store on the hosts of its command line: says `live` once it watches, holds a lock and keeps a key
 * alive, `lost` with how late it was told where the lock is lost; closes when it is told to on its standard input, says
 * `closed`, and then must end by itself.
 */
import { once } from 'node:events';
import { firstValueFrom } from 'rxjs';
import { redis } from '../../../dist/esm/backends/redis/index.js';
import { createStore, KvError } from '../../../dist/esm/index.js';

const { hosts, ttl = 3000, timeout } = JSON.parse(process.argv[2]);
const store = createStore(redis({ hosts, root: 'app' }), timeout === undefined ? {} : { timeout });
await Promise.all([store.put('k', '1'), store.get('k'), store.put('leased', '1', { ttl: 60_000 })]);
const trees = [];
store.watchTree$('').subscribe(tree => trees.push(tree.size));
const lock = await store.lock('held', { ttl });
lock.signal.addEventListener('abort', () => {
  store.put('late', 'x', { lock }).then(
    () => console.log(`lost ${lock.held} written`),
    error => console.log(`lost ${lock.held} ${KvError.is(error) && error.code}`),
  );
});
store.lock$('held', { ttl }).subscribe({ error: () => undefined });
store.keepAlive$('alive', '1', { ttl: 3000 }).subscribe({ error: () => undefined });
await firstValueFrom(store.watch$('alive'));
console.log('live');
await once(process.stdin, 'data');
process.stdin.destroy();
await store.close();
console.log('closed');
