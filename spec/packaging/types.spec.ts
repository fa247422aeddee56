/**
 * The declarations, as strict users compile them: every library checked, no Node types, no client installed; by our
 * TypeScript and by the last one whose compiler is in JavaScript, which alone knows the older module systems.
 */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { attempt, type Finished, root } from './execute.js';
import { withTools } from './tools.js';

interface Mode {
  readonly mode: string;
  readonly file: string;
  readonly options: object;
}

const nodenext = { module: 'nodenext', moduleResolution: 'nodenext' };
const modes: readonly Mode[] = [
  { mode: 'nodenext, ESM', file: 'uses.mts', options: nodenext },
  { mode: 'nodenext, CommonJS', file: 'uses.cts', options: nodenext },
  { mode: 'bundler', file: 'uses.ts', options: { module: 'esnext', moduleResolution: 'bundler' } },
];
const olderModes: readonly Mode[] = [
  { mode: 'node16, ESM', file: 'uses.mts', options: { module: 'node16', moduleResolution: 'node16' } },
  { mode: 'node16, CommonJS', file: 'uses.cts', options: { module: 'node16', moduleResolution: 'node16' } },
  { mode: 'commonjs and node10', file: 'uses.ts', options: { module: 'commonjs', moduleResolution: 'node10' } },
];

/** Exports without a type of their own, which a library's declarations must be able to name. */
const inferred = `
import { bytes, decode, deltas, json, mapKeys, toSnapshot, utf8, whileHeld, whileLeading } from 'rxkv';
export const codecs = [utf8, bytes, json()] as const;
export const decoded$ = store.watchTree$('config').pipe(diff(), decode(utf8));
export const batched = deltas();
export const folded = toSnapshot();
export const decoding = decode(utf8, { invalid: 'keep-last' });
export const retrying = retryTransient<Snapshot>({ onRetry: ({ delay }) => console.log(delay) });
export const held = whileHeld(lock => [lock.fence]);
export const leading = whileLeading(({ lock }) => [lock.held]);
export const mapped = mapKeys(memory(), { encode: segment => segment, decode: segment => segment });
`;

let projects = 0;

/** Compiles consumers/uses.ts, with `more` after it, in a folder of its own below the project without clients. */
async function compile(compiler: string, { file, options }: Mode, more: string): Promise<Finished> {
  const project = join(inject('bare'), `types-${++projects}`);
  mkdirSync(project, { recursive: true });
  copyFileSync(join(inject('bare'), 'uses.ts'), join(project, file));
  writeFileSync(join(project, file), more, { flag: 'a' });
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
    // What is exported without a type of its own must have one that can be named.
    declaration: true,
    ...options,
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }));
  return attempt(process.execPath, [compiler, '-p', project], project);
}

function compiling(compiler: string, all: readonly Mode[]): void {
  test.each(all)(
    '$mode compiles with skipLibCheck off, without the types of Node or of a client; only a wrong use is refused',
    async mode => {
      // In one go, since compilers are slow: a declaration that is any would refuse nothing.
      const { stdout } = await compile(compiler, mode, `${inferred}export const wrong: number = store;\n`);
      expect(stdout.trimEnd().split('\n')).toEqual([expect.stringContaining("Type 'Store' is not assignable to type 'number'")]);
    },
  );
}

describe('TypeScript 7', () => {
  compiling(`${root}/node_modules/typescript/bin/tsc`, modes);
});

withTools(inject('tools'), 'TypeScript 5.9', tools => {
  describe('TypeScript 5.9', () => {
    const compiler = join(tools, 'node_modules/typescript/bin/tsc');

    test('is what compiles here', async () => {
      const { stdout } = await attempt(process.execPath, [compiler, '--version'], tools);
      expect(stdout).toMatch(/^Version 5\.9\./);
    });

    compiling(compiler, [...modes, ...olderModes]);
  });
});
