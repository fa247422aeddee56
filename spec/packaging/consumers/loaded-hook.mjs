/** Writes down every URL that an import resolves to, and of built-in modules only those that rxkv itself asks for. */
import { appendFileSync } from 'node:fs';

let log;

export function initialize(path) {
  log = path;
}

export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  if (!found.url.startsWith('node:') || context.parentURL?.includes('/node_modules/rxkv/')) appendFileSync(log, `${found.url}\n`);
  return found;
}
