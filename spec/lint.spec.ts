/** The lint rules bite: bad files planted in a copy of the tree are found, and good ones are left alone. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

const directions = 'eslint(no-restricted-imports)';

/** Files that must be refused: where, what, and by which rule. */
const bad: readonly (readonly [file: string, rule: string, source: string])[] = [
  ['src/planted-node.ts', directions, "import 'node:fs';"],
  ['src/planted-builtin.ts', directions, "import 'fs';"],
  ['src/planted-client.ts', directions, "import 'lmdb';"],
  ['src/planted-lazy-client.ts', directions, "export const client: Promise<unknown> = import('lmdb');"],
  ['src/planted-backend.ts', directions, "import './backends/memory/index.js';"],
  ['src/planted-suite.ts', directions, "import './conformance/index.js';"],
  ['src/planted-front-door.ts', directions, "export * from './index.js';"],
  ['src/open.ts', directions, "import 'lmdb';"],
  ['src/operators/planted-store.ts', directions, "import '../store.js';"],
  ['src/operators/planted-store-type.ts', directions, "export type { Store } from '../store.js';"],
  ['src/operators/planted-recipe.ts', directions, "import '../recipes/lock.js';"],
  ['src/operators/planted-backend.ts', directions, "import '../backends/memory/index.js';"],
  ['src/operators/planted-node.ts', directions, "import 'node:events';"],
  ['src/recipes/planted-store.ts', directions, "import '../store.js';"],
  ['src/recipes/planted-front-door.ts', directions, "import '../index.js';"],
  ['src/recipes/planted-backend.ts', directions, "import '../backends/memory/index.js';"],
  ['src/backends/memory/planted-store.ts', directions, "import '../../store.js';"],
  ['src/backends/memory/planted-operator.ts', directions, "import '../../operators/diff.js';"],
  ['src/backends/memory/planted-recipe.ts', directions, "import '../../recipes/lock.js';"],
  ['src/backends/memory/planted-neighbour.ts', directions, "import '../lmdb/index.js';"],
  ['src/backends/memory/planted-node.ts', directions, "import 'node:fs';"],
  ['src/backends/local/planted-neighbour.ts', directions, "import '../memory/index.js';"],
  ['src/backends/lmdb/planted-neighbour.ts', directions, "import '../memory/index.js';"],
  ['src/backends/lmdb/planted-client.ts', directions, "import 'ioredis';"],
  ['src/backends/lmdb/planted-store.ts', directions, "import '../../store.js';"],
  ['src/backends/etcd/planted-store.ts', directions, "import '../../store.js';"],
  ['src/conformance/planted-inside.ts', directions, "import '../queue.js';"],
  ['src/conformance/planted-backend.ts', directions, "import '../backends/memory/index.js';"],
  ['src/conformance/planted-runner.ts', directions, "import 'vitest';"],
  ['src/planted-floating.ts', 'typescript(no-floating-promises)', 'export function start(): void {\n  Promise.resolve(1);\n}'],
  ['src/planted-misused.ts', 'typescript(no-misused-promises)', 'export function start(): void {\n  [1].forEach(async () => {});\n}'],
  ['src/planted-condition.ts', 'typescript(no-misused-promises)', "export const answer: string = Promise.resolve(1) ? 'a' : 'b';"],
  ['src/planted-cycle-a.ts', 'import(no-cycle)', "export { b } from './planted-cycle-b.js';\nexport const a = 1;"],
  ['src/planted-cycle-b.ts', 'import(no-cycle)', "export { a } from './planted-cycle-a.js';\nexport const b = 1;"],
  ['src/planted-any.ts', 'typescript(no-explicit-any)', 'export const whatever: any = 1;'],
  ['spec/planted-focus.spec.ts', 'vitest(no-focused-tests)', "import { test } from 'vitest';\ntest.only('alone', () => {});"],
];

/** Files that must pass: what each room may import. */
const good: readonly (readonly [file: string, source: string])[] = [
  ['src/index.ts', "export * from './store.js';\nexport * from './operators/diff.js';"],
  ['src/store.ts', "import 'rxjs';\nimport './recipes/lock.js';\nexport const store = 1;"],
  ['src/operators/diff.ts', "import 'rxjs';\nimport '../snapshot.js';\nimport './deltas.js';\nexport const diff = 1;"],
  ['src/recipes/lock.ts', "import 'rxjs';\nimport '../lease.js';"],
  ['src/backends/memory/index.ts', "import '../../driver.js';\nimport '../local/engine.js';\nimport './feed.js';"],
  [
    'src/backends/lmdb/index.ts',
    "import 'lmdb';\nimport 'node:path';\nimport 'node:timers/promises';\nimport '../../errors.js';\nimport '../local/engine.js';",
  ],
  ['src/backends/local/engine.ts', "import '../../tree.js';\nimport './log.js';"],
  ['src/conformance/index.ts', "import '../index.js';\nimport '../operators/diff.js';\nimport './locks.js';"],
  ['spec/free.spec.ts', "import 'node:fs';\nimport '../src/backends/memory/index.js';"],
];

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
  readonly message: string;
}

describe('the lint rules', () => {
  let project: string;
  let found: readonly Diagnostic[];

  beforeAll(async () => {
    mkdirSync(join(root, '.cache'), { recursive: true });
    project = mkdtempSync(join(root, '.cache/lint-'));
    // Our .gitignore has .cache in it; a repository of its own is not below it.
    mkdirSync(join(project, '.git'));
    const files = [...bad.map(([file, , source]) => [file, source] as const), ...good];
    for (const [file, source] of files) {
      mkdirSync(dirname(join(project, file)), { recursive: true });
      writeFileSync(join(project, file), `${source}\n`);
    }
    copyFileSync(join(root, '.oxlintrc.json'), join(project, '.oxlintrc.json'));
    copyFileSync(join(root, 'tsconfig.json'), join(project, 'tsconfig.json'));
    found = await lint(project);
  });

  afterAll(() => rmSync(project, { recursive: true, force: true }));

  test.each(bad)('%s is refused: %s', (file, rule) => {
    expect(found.filter(({ filename }) => filename === file).map(({ code }) => code)).toContain(rule);
  });

  test.each(good)('%s passes', file => {
    expect(found.filter(({ filename }) => filename === file)).toEqual([]);
  });
});

/** Lints a folder with the configuration in it. */
function lint(folder: string): Promise<readonly Diagnostic[]> {
  return new Promise((resolve, reject) => {
    execFile(join(root, 'node_modules/.bin/oxlint'), ['--format', 'json'], { cwd: folder, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      try {
        resolve((JSON.parse(stdout) as { diagnostics: Diagnostic[] }).diagnostics);
      } catch {
        reject(new Error(`oxlint did not answer in JSON: ${stdout}${stderr}`, { cause: error }));
      }
    });
  });
}
