/** Both copies of the package in one process: what one makes, the other understands. Prints what it saw. */
import { createRequire } from 'node:module';
import { firstValueFrom, from, toArray } from 'rxjs';
import * as esm from 'rxkv';
import * as esmMemory from 'rxkv/memory';

const require = createRequire(import.meta.url);
const copies = {
  esm: { core: esm, memory: esmMemory },
  cjs: { core: require('rxkv'), memory: require('rxkv/memory') },
};

const seen = {
  apart: copies.esm.core.KvError !== copies.cjs.core.KvError,
  native: require('rxjs').Observable === (await import('rxjs')).Observable,
};
for (const [maker, reader] of [
  ['esm', 'cjs'],
  ['cjs', 'esm'],
]) {
  const { core, memory } = copies[maker];
  const store = core.createStore(memory.memory());
  const first = await store.list('config');
  await store.put('config/colour', 'blue');
  const second = await store.list('config');
  await store.put('config/colour', 'red');
  await store.put('config/size', '7');
  const third = await store.list('config');
  const refusal = await store.atomicPut('config/colour', 'green', undefined).catch(error => error);
  const changes = await firstValueFrom(from([first, second, third]).pipe(copies[reader].core.diff(), toArray()));
  await store.close();
  // A driver of one copy under the other's createStore.
  const mixed = copies[reader].core.createStore(memory.memory());
  const written = await mixed.put('a', 'x');
  await mixed.close();
  seen[`${reader} reads ${maker}`] = {
    recognised: copies[reader].core.KvError.is(refusal),
    code: refusal.code,
    plain: copies[reader].core.KvError.is(new Error('unlike')),
    changes: changes.map(({ type, key, entry }) => [type, key, copies[reader].core.text(entry)]),
    mixed: copies[maker].core.text(written),
  };
}
console.log(JSON.stringify(seen));
