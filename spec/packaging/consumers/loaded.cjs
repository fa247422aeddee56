/** Requires one subpath and prints the URL of all that was loaded for it, built-in modules that rxkv asks for among them. */
const Module = require('node:module');

const load = Module._load;
const builtin = [];
Module._load = function (request, parent, ...rest) {
  if (Module.isBuiltin(request) && parent?.filename.includes('/node_modules/rxkv/')) builtin.push(`node:${request.replace(/^node:/, '')}`);
  return load.call(this, request, parent, ...rest);
};
require(process.argv[2]);
const files = Object.keys(require.cache)
  .filter(path => path !== __filename)
  .map(path => `file://${path}`);
console.log(JSON.stringify([...new Set([...builtin, ...files])]));
