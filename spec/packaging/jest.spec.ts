/** Jest with ts-jest, set up as `nest new` does: it loads the CommonJS build and its declarations. */
import { copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { attempt } from './execute.js';
import { withTools } from './tools.js';

/** The section "jest" that `nest new` writes into package.json. */
const jest = {
  moduleFileExtensions: ['js', 'json', 'ts'],
  rootDir: 'src',
  testRegex: '.*\\.spec\\.ts$',
  transform: { '^.+\\.(t|j)s$': 'ts-jest' },
  collectCoverageFrom: ['**/*.(t|j)s'],
  coverageDirectory: '../coverage',
  testEnvironment: 'node',
};

/** What its tsconfig.json says in every version. */
const common = {
  declaration: true,
  removeComments: true,
  emitDecoratorMetadata: true,
  experimentalDecorators: true,
  allowSyntheticDefaultImports: true,
  target: 'ES2023',
  sourceMap: true,
  outDir: './dist',
  baseUrl: './',
  incremental: true,
  skipLibCheck: true,
  strictNullChecks: true,
  forceConsistentCasingInFileNames: true,
  noImplicitAny: false,
  strictBindCallApply: false,
  noFallthroughCasesInSwitch: false,
};

const settings = [
  {
    nest: '11',
    compilerOptions: {
      ...common,
      module: 'nodenext',
      moduleResolution: 'nodenext',
      resolvePackageJsonExports: true,
      esModuleInterop: true,
      isolatedModules: true,
    },
  },
  { nest: '10 and before', compilerOptions: { ...common, module: 'commonjs' } },
];

/** A project with Jest, the packed package, its clients, and one spec. */
function project(name: string, tools: string, compilerOptions: object): string {
  const folder = join(dirname(inject('consumer')), name);
  mkdirSync(join(folder, 'src'), { recursive: true });
  mkdirSync(join(folder, 'node_modules'));
  for (const packages of [join(tools, 'node_modules'), join(inject('consumer'), 'node_modules')])
    link(packages, join(folder, 'node_modules'));
  const sources = join(inject('consumer'), 'jest');
  copyFileSync(join(sources, 'live-settings.ts'), join(folder, 'src/live-settings.ts'));
  copyFileSync(join(sources, 'live-settings.spec-source.ts'), join(folder, 'src/live-settings.spec.ts'));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, private: true, jest }));
  return folder;
}

/** Each package as a link of its own, scopes as folders. */
function link(from: string, to: string): void {
  for (const name of readdirSync(from)) {
    if (name.startsWith('.')) continue;
    if (name.startsWith('@')) {
      mkdirSync(join(to, name), { recursive: true });
      link(join(from, name), join(to, name));
    } else symlinkSync(join(from, name), join(to, name), 'junction');
  }
}

withTools(inject('tools'), 'Jest', tools => {
  test.each(settings)('runs a spec with the settings of Nest $nest', { timeout: 120_000 }, async ({ nest, compilerOptions }) => {
    const folder = project(`jest-${nest.replaceAll(' ', '-')}`, tools, compilerOptions);
    // Jest waits for ever for a handle that is left open: that it ends says that closed stores leave none.
    const program = join(tools, 'node_modules/jest/bin/jest.js');
    const { code, stderr } = await attempt(process.execPath, [program, '--ci', '--no-cache'], folder, { timeout: 100_000 });
    expect(stderr).toContain('Tests:       7 passed, 7 total');
    expect(code).toBe(0);
  });

  test('fails for a spec that its types refuse, so ts-jest has read the declarations', { timeout: 120_000 }, async () => {
    const folder = project('jest-wrong', tools, { ...common, module: 'commonjs' });
    writeFileSync(
      join(folder, 'src/live-settings.spec.ts'),
      "import { createStore } from 'rxkv';\nimport { memory } from 'rxkv/memory';\nit('', () => { const wrong: number = createStore(memory()); });\n",
    );
    const program = join(tools, 'node_modules/jest/bin/jest.js');
    const { code, stderr } = await attempt(process.execPath, [program, '--ci', '--no-cache'], folder, { timeout: 100_000 });
    expect(stderr).toContain("Type 'Store' is not assignable to type 'number'");
    expect(code).toBe(1);
  });
});
