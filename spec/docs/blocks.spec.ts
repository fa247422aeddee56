/** Every block of TypeScript in the documentation compiles, runs, and prints what it says. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Driver, Store, StoreOptions } from 'rxkv';
import { blocksOf, excerptOf, pages, root, titleOf } from './pages.js';
import { catchUncaught } from '../uncaught.js';
import { compile, pathOf, type Program, programOf, promisedOutput } from './programs.js';

/** The stores of the block that runs: whoever reads a page need not see them closed in every block. */
const stores = vi.hoisted((): Pick<Store, 'close'>[] => []);

vi.mock('rxkv', async importOriginal => {
  const original = await importOriginal<typeof import('rxkv')>();
  const createStore = (driver: Driver, options?: StoreOptions): Store => {
    const store = original.createStore(driver, options);
    stores.push(store);
    return store;
  };
  return { ...original, createStore };
});

/** Each of these must be found out, or the tests of the real pages prove nothing. */
const planted = blocksOf({
  path: 'planted.md',
  source: [
    '<!-- prelude',
    "import { createStore } from 'rxkv';",
    "import { memory } from 'rxkv/memory';",
    'const store = createStore(memory());',
    '-->',
    '```ts',
    "import { diff } from 'rxkv';",
    "const changes: number = store.watchTree$('a').pipe(diff());",
    '```',
    '```ts',
    "throw new Error('planted');",
    '```',
    '```ts',
    "store.watch$('k').subscribe(() => console.log('one')); // prints two",
    '```',
    '```ts',
    "store.watch$('a//b').subscribe();",
    '```',
    '```ts',
    "const store = 'shadows the prelude';",
    'console.log(store); // prints shadows the prelude',
    '```',
  ].join('\n'),
});

const all = pages().flatMap(blocksOf);
const programs = [...all, ...planted].filter(block => excerptOf(block) === undefined).map(programOf);
const real = programs.filter(({ block }) => block.page !== 'planted.md').map(program => [titleOf(program.block), program] as const);
// A file of tests cannot run inside of a test.
const runnable = real.filter(([, { block, source }]) => !block.info.includes('no-run') && !source.includes("from 'vitest'"));
const excerpts = all.flatMap(block => {
  const file = excerptOf(block);
  return file === undefined ? [] : [[titleOf(block), file, block] as const];
});

let folder: string;
let complaints: Awaited<ReturnType<typeof compile>>;

beforeAll(async () => {
  mkdirSync(join(root, '.cache'), { recursive: true });
  // Inside of the checkout, where its packages are found.
  folder = mkdtempSync(join(root, '.cache/docs-'));
  complaints = await compile(programs, folder);
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('compiles:', () => {
  test('all of it, as far as the compiler itself is concerned', () => expect(complaints.get('the compiler')).toBeUndefined());

  test.each(real)('%s', title => expect(complaints.get(title) ?? []).toEqual([]));
});

describe('runs:', () => {
  test.each(runnable)('%s', async (_title, program) => run(program));
});

describe('is a verbatim part of its file:', () => {
  test.each(excerpts)('%s of %s', (_title, file, { code }) => expect(piecesMissing(code, file)).toEqual([]));
});

describe('a wrong block is found out:', () => {
  const [illTyped, throwing, misprinting, failing, shadowing] = planted.map(programOf) as [Program, Program, Program, Program, Program];

  test('one that does not compile, at its line', () => {
    expect(complaints.get(titleOf(illTyped.block))).toEqual([
      expect.stringMatching(/^planted\.md:8: TS2322: .*not assignable to type 'number'/),
    ]);
    expect(complaints.get(titleOf(throwing.block))).toBeUndefined();
  });

  test('one that throws', async () => expect(run(throwing)).rejects.toThrow('planted'));

  test('one that prints something else', async () => expect(run(misprinting)).rejects.toThrow(/prints/));

  test('one whose stream fails with nobody to catch it', async () => expect(run(failing)).rejects.toThrow('empty segment'));

  test('an excerpt that is not in its file', () => {
    const line = '  readonly page: string;\n';
    expect(piecesMissing(`${line}  readonly pages: string;`, 'spec/docs/pages.ts')).toHaveLength(1);
    expect(piecesMissing(line.replace('readonly ', ''), 'spec/docs/pages.ts')).toHaveLength(1);
    expect(piecesMissing(`${line}// ...\n`, 'spec/docs/pages.ts')).toEqual(['']);
    expect(piecesMissing(line, 'spec/docs/pages.ts')).toEqual([]);
  });

  test('and a right one is not', async () => run(shadowing));
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs a block in an empty folder, closes its stores, and compares what it printed with what it promised. */
async function run(program: Program): Promise<void> {
  const { block } = program;
  const printed: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((...parts: unknown[]) => void printed.push(parts.join(' ')));
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  const uncaught: unknown[] = [];
  const catching = catchUncaught(error => uncaught.push(error));
  const workplace = mkdtempSync(join(tmpdir(), 'rxkv-docs-'));
  const home = process.cwd();
  const promised = promisedOutput(block);
  process.chdir(workplace);
  try {
    await import(pathOf(program, folder));
    if (promised.length > 0)
      await vi.waitFor(() => expect(printed.length, `lines that ${titleOf(block)} prints`).toBeGreaterThanOrEqual(promised.length), 5000);
    await new Promise(resolve => setTimeout(resolve));
  } finally {
    await Promise.all(stores.splice(0).map(store => store.close()));
    process.chdir(home);
    rmSync(workplace, { recursive: true, force: true });
    catching.stop();
  }
  if (uncaught.length > 0) throw uncaught[0];
  if (promised.length > 0) expect(printed, `what ${titleOf(block)} prints`).toEqual(promised);
}

/** The pieces of an excerpt that are not whole lines of the file. `// ...` stands for what is left out in between. */
function piecesMissing(code: string, file: string): string[] {
  const whole = `\n${unindented(readFileSync(join(root, file), 'utf8'))}\n`;
  const pieces = code.split(/^\s*\/\/ \.\.\.$/m).map(unindented);
  return pieces.filter(piece => piece === '' || !whole.includes(`\n${piece}\n`));
}

/** Pages show methods without the indentation of their class. */
function unindented(code: string): string {
  const lines = code.split('\n').map(line => line.trim());
  return lines.join('\n').trim();
}
