/** A process in which a client is not installed: makes a store, says so, then what its first call comes to. */
import { register } from 'node:module';

const { backend, client } = JSON.parse(process.argv[2]);
const missing = `Object.assign(new Error("Cannot find package '${client}' imported from here"), { code: 'ERR_MODULE_NOT_FOUND' })`;
const hooks = `export function resolve(specifier, context, next) { if (specifier === '${client}') throw ${missing}; return next(specifier, context); }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const { createStore } = await import('../../dist/esm/index.js');
const { [backend]: driver } = await import(`../../dist/esm/backends/${backend}/index.js`);
const store = createStore(driver({ hosts: 'localhost' }));
console.log(`made ${store.backend}`);
try {
  await store.put('a', '1');
} catch (error) {
  console.log(`${error.code}: ${error.message}`);
}
await store.close();
