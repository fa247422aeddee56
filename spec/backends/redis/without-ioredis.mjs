/** A process in which the package ioredis is not installed: makes a store, says so, then what its first call comes to. */
import { register } from 'node:module';

const missing = "Object.assign(new Error(\"Cannot find package 'ioredis' imported from here\"), { code: 'ERR_MODULE_NOT_FOUND' })";
const hooks = `export function resolve(specifier, context, next) { if (specifier === 'ioredis') throw ${missing}; return next(specifier, context); }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const { createStore } = await import('../../../dist/esm/index.js');
const { redis } = await import('../../../dist/esm/backends/redis/index.js');
const store = createStore(redis({ hosts: 'localhost' }));
console.log(`made ${store.backend}`);
try {
  await store.put('a', '1');
} catch (error) {
  console.log(`${error.code}: ${error.message}`);
}
await store.close();
