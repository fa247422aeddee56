/** The declarations, as strict users compile them: every library checked, no Node types, no client installed. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { attempt, tool, type Finished } from './execute.js';

const modes = [
  { mode: 'nodenext, ESM', file: 'uses.mts', options: { module: 'nodenext', moduleResolution: 'nodenext' } },
  { mode: 'nodenext, CommonJS', file: 'uses.cts', options: { module: 'nodenext', moduleResolution: 'nodenext' } },
  { mode: 'bundler', file: 'uses.ts', options: { module: 'esnext', moduleResolution: 'bundler' } },
];

/** Compiles consumers/uses.ts, with `more` after it, in a folder of its own below the project without clients. */
async function compile(file: string, options: object, more: string): Promise<Finished> {
  const project = join(inject('bare'), `types-${file.replace('.', '-')}-${more.length}`);
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
    ...options,
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }));
  return attempt(tool('tsc'), ['-p', project], project);
}

describe.each(modes)('$mode', ({ file, options }) => {
  test('compiles with skipLibCheck off, without the types of Node or of a client', async () => {
    const { stdout, code } = await compile(file, options, '');
    expect(stdout).toBe('');
    expect(code).toBe(0);
  });

  test('refuses a wrong use, so the declarations are not any', async () => {
    const { stdout, code } = await compile(file, options, '\nexport const wrong: number = store;\n');
    expect(stdout).toContain("Type 'Store' is not assignable to type 'number'");
    expect(code).not.toBe(0);
  });
});
