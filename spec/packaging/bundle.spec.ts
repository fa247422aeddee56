/** The core as a browser's bundler sees it: rxjs and rxkv alone, and it runs where there is no Node. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { beforeAll, expect, inject, test } from 'vitest';
import { attempt, execute } from './execute.js';
import { withTools } from './tools.js';

interface Metafile {
  readonly inputs: Readonly<Record<string, { readonly imports: readonly { readonly path: string; readonly external?: boolean }[] }>>;
}

/** Every global of browsers that the core may use. What Node has beyond them (process, Buffer, setImmediate) is absent. */
const browser = {
  AbortController,
  AbortSignal,
  DOMException,
  Event,
  EventTarget,
  TextDecoder,
  TextEncoder,
  clearInterval,
  clearTimeout,
  console,
  crypto,
  performance,
  queueMicrotask,
  setInterval,
  setTimeout,
};

withTools(inject('tools'), 'the bundle of the core', tools => {
  const bare = inject('bare');
  const esbuild = join(tools, 'node_modules/esbuild/bin/esbuild');
  const flags = ['--bundle', '--platform=browser', '--target=es2022', '--format=iife', '--log-level=warning'];
  let metafile: Metafile;
  let script: string;

  beforeAll(async () => {
    const output = [`--metafile=${join(bare, 'meta.json')}`, `--outfile=${join(bare, 'bundle.js')}`];
    const { stderr } = await execute(esbuild, ['browser.mjs', ...flags, ...output], bare);
    expect(stderr).toBe('');
    metafile = JSON.parse(readFileSync(join(bare, 'meta.json'), 'utf8')) as Metafile;
    script = readFileSync(join(bare, 'bundle.js'), 'utf8');
  });

  test('holds rxkv and rxjs, and nothing of theirs is left to be loaded', () => {
    const packages = Object.keys(metafile.inputs).map(path => /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(path)?.[1]);
    // tslib is what rxjs is compiled with.
    expect(new Set(packages.filter(name => name !== 'tslib'))).toEqual(new Set(['rxkv', 'rxjs', undefined]));
    expect(packages.filter(name => name === undefined).length).toBe(1);
    const external = Object.values(metafile.inputs).flatMap(({ imports }) => imports.filter(found => found.external === true));
    expect(external).toEqual([]);
  });

  test('has of the backends the memory, of rxkv the ESM build', () => {
    const files = Object.keys(metafile.inputs).filter(path => path.includes('node_modules/rxkv/'));
    expect(files.filter(path => !path.includes('/dist/esm/'))).toEqual([]);
    const backends = new Set(files.map(path => /\/backends\/([^/]+)\//.exec(path)?.[1]).filter(name => name !== undefined));
    expect(backends).toEqual(new Set(['memory', 'local']));
  });

  test('runs without a global of Node', async () => {
    const context = createContext({ ...browser });
    runInContext(script, context);
    expect(runInContext('typeof process + typeof Buffer + typeof setImmediate + typeof require', context)).toBe('undefined'.repeat(4));
    const seen = JSON.parse(await (context as { seen: Promise<string> }).seen) as unknown;
    expect(seen).toEqual({
      seen: [
        'added config/colour undefined blau – blue',
        'modified config/colour blau – blue rot',
        'added config/size undefined 7',
        'deleted config/size 7 undefined',
      ],
      held: true,
    });
  });

  test('is refused by the bundler for a backend of Node, so the above can fail', async () => {
    const { code, stderr } = await attempt(esbuild, ['browser-lmdb.mjs', ...flags, `--outfile=${join(bare, 'none.js')}`], bare);
    expect(code).toBe(1);
    expect(stderr).toContain('Could not resolve "node:');
  });
});
