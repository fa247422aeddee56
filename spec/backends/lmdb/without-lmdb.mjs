/**
 * A process in which the package lmdb is not installed, or `broken`: makes a store, says `{ made: backend }`, then what
 * its first call comes to.
 */
import { register } from 'node:module';

const { path, broken = false } = JSON.parse(process.argv[2]);
const failure = broken
  ? "new Error('No native build was found')"
  : "Object.assign(new Error(\"Cannot find package 'lmdb' imported from here\"), { code: 'ERR_MODULE_NOT_FOUND' })";
const hooks = `export function resolve(specifier, context, next) { if (specifier === 'lmdb') throw ${failure}; return next(specifier, context); }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const { createStore } = await import('../../../dist/esm/index.js');
const { lmdb } = await import('../../../dist/esm/backends/lmdb/index.js');
const store = createStore(lmdb({ path }));
console.log(JSON.stringify({ made: store.backend }));
try {
  await store.put('a', '1');
} catch (error) {
  console.log(JSON.stringify({ refused: error.code, message: error.message }));
}
await store.close();
