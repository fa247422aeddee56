/**
 * A process with a store on the hosts of its command line: says `live` once it watches, holds a lock and keeps a key
 * alive, closes it when it is told to on its standard input, says `closed`, and then must end by itself.
 */
import { once } from 'node:events';
import { firstValueFrom } from 'rxjs';
import { etcd } from '../../../dist/esm/backends/etcd/index.js';
import { createStore } from '../../../dist/esm/index.js';

const { hosts, auth, timeout } = JSON.parse(process.argv[2]);
const store = createStore(etcd({ hosts, ...(auth === undefined ? {} : { auth }) }), timeout === undefined ? {} : { timeout });
await Promise.all([store.put('k', '1'), store.get('k'), store.put('leased', '1', { ttl: 60_000 })]);
const trees = [];
store.watchTree$('').subscribe(tree => trees.push(tree.size));
await store.lock('held', { ttl: 3000 });
store.lock$('held', { ttl: 3000 }).subscribe();
store.keepAlive$('alive', '1', { ttl: 3000 }).subscribe();
await firstValueFrom(store.watch$('alive'));
console.log('live');
await once(process.stdin, 'data');
process.stdin.destroy();
await store.close();
console.log('closed');
