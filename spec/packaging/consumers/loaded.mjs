/** Imports one subpath and prints the URL of all that was loaded for it, built-in modules of Node among them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire, register } from 'node:module';

const [subpath, log] = process.argv.slice(2);
writeFileSync(log, '');
register('./loaded-hook.mjs', import.meta.url, { data: log });
await import(subpath);
// The hook does not see what CommonJS modules require of each other; the cache has those.
const required = Object.keys(createRequire(import.meta.url).cache).map(path => `file://${path}`);
console.log(JSON.stringify([...new Set([...readFileSync(log, 'utf8').split('\n').filter(Boolean), ...required])]));
