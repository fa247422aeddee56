/**
 * The subpaths of the package, from the sources: a fixed few, and one for each folder in src/backends.
 *
 * `node scripts/exports.mjs` fails when package.json says otherwise; with `--write` it corrects package.json.
 * So a new backend is a new folder, and one run of this.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

const root = new URL('../', import.meta.url);

/** What memory and lmdb share: no subpath of its own. */
const shared = 'local';

/** Subpath to its source file below src/, in the order in which package.json lists them. */
export function entries() {
  const backends = readdirSync(new URL('src/backends/', root), { withFileTypes: true })
    .filter(found => found.isDirectory() && found.name !== shared)
    .map(found => found.name)
    .toSorted();
  return {
    '.': 'index.ts',
    './driver': 'driver-kit.ts',
    './conformance': 'conformance/index.ts',
    './open': 'open.ts',
    ...Object.fromEntries(backends.map(name => [`./${name}`, `backends/${name}/index.ts`])),
  };
}

/** What package.json should say about them. */
export function expected() {
  const built = Object.entries(entries()).map(([subpath, source]) => [subpath, source.replace(/\.ts$/, '')]);
  const exports = Object.fromEntries(
    built.map(([subpath, file]) => [
      subpath,
      {
        import: { types: `./dist/esm/${file}.d.ts`, default: `./dist/esm/${file}.js` },
        require: { types: `./dist/cjs/${file}.d.ts`, default: `./dist/cjs/${file}.js` },
      },
    ]),
  );
  const subpaths = built.filter(([subpath]) => subpath !== '.');
  return {
    exports: { ...exports, './package.json': './package.json' },
    // For moduleResolution node10, which does not read "exports".
    typesVersions: { '*': Object.fromEntries(subpaths.map(([subpath, file]) => [subpath.slice(2), [`./dist/cjs/${file}.d.ts`]])) },
  };
}

/** Every way in which package.json and the sources disagree, as sentences. */
export function complaints() {
  const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  const missing = Object.entries(entries())
    .filter(([, source]) => !existsSync(new URL(`src/${source}`, root)))
    .map(([subpath, source]) => `the subpath "${subpath}" needs src/${source}, which is not there`);
  const wrong = Object.entries(expected())
    .filter(([field, value]) => !isDeepStrictEqual(manifest[field], value))
    .map(([field]) => `"${field}" of package.json is not what src/backends says: npm run exports`);
  return [...missing, ...wrong];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) {
    const file = new URL('package.json', root);
    const manifest = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, `${JSON.stringify({ ...manifest, ...expected() }, null, 2)}\n`);
  }
  const found = complaints();
  for (const line of found) console.error(line);
  process.exitCode = found.length === 0 ? 0 : 1;
}
