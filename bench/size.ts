/** The size bench: what a browser loads of the core, without rxjs. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { atMost, type Row } from './row.js';

/** What we use of esbuild, which is installed in bench/peers/ and not here. */
interface Esbuild {
  build(options: object): Promise<{ readonly outputFiles: readonly { readonly contents: Uint8Array }[] }>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

export async function sizeBench(): Promise<Row[]> {
  const operators = 'diff, deltas, toSnapshot, retryTransient';
  return [
    await sizeOf('the core with everything', "export * from 'rxkv';", atMost(12, 9)),
    await sizeOf(operators, `export { ${operators} } from 'rxkv';`, atMost(3)),
    await sizeOf('diff alone', "export { diff } from 'rxkv';"),
    await sizeOf('createStore alone', "export { createStore } from 'rxkv';"),
    await sizeOf('createStore and memory', "export { createStore } from 'rxkv'; export { memory } from 'rxkv/memory';"),
  ];
}

async function sizeOf(what: string, contents: string, limit?: Row['limit']): Promise<Row> {
  const esbuild = createRequire(new URL('../../bench/peers/package.json', import.meta.url))('esbuild') as Esbuild;
  const { outputFiles } = await esbuild.build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external: ['rxjs'],
    legalComments: 'none',
    // Or it would take 'rxkv' for the sources, as our tsconfig.json says.
    tsconfigRaw: {},
  });
  const bytes = outputFiles[0]?.contents ?? new Uint8Array();
  const detail = `${(bytes.length / 1000).toFixed(1)} kB minified`;
  return {
    what: `${what}, gzipped`,
    values: [gzipSync(bytes, { level: 9 }).length / 1000],
    unit: 'kB',
    detail,
    ...(limit === undefined ? {} : { limit }),
  };
}
