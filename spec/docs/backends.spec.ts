/** docs/backends.md says what the backends declare. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Capabilities, Driver } from 'rxkv';
import { beforeAll, expect, test } from 'vitest';
import { root } from './pages.js';

interface Generator {
  readonly makers: Readonly<Record<string, (exports: object) => Driver>>;
  render(capabilities: Readonly<Record<string, Capabilities>>): string;
}

/** Those with a folder of their own; local is what memory and lmdb share. */
const backends = readdirSync(`${root}src/backends`).filter(name => name !== 'local');

let generator: Generator;
let declared: Record<string, Capabilities>;

beforeAll(async () => {
  // Plain JavaScript, since it runs before anything is compiled: the types above are what it exports.
  generator = (await import(`${root}scripts/backends-doc.mjs`)) as Generator;
  declared = {};
  for (const [name, make] of Object.entries(generator.makers)) {
    const exports = (await import(`${root}src/backends/${name}/index.ts`)) as object;
    declared[name] = make(exports).capabilities;
  }
});

test('every backend is on the page, with a note', () => {
  expect(Object.keys(declared).sort()).toEqual(backends.sort());
  expect(backends.filter(name => !existsSync(`${root}docs/backends/${name}.md`))).toEqual([]);
});

test('the page is what the backends declare (else: npm run docs)', () => {
  expect(readFileSync(`${root}docs/backends.md`, 'utf8')).toBe(generator.render(declared));
});

test('a capability that changes changes the page', () => {
  const narrower = { ...declared, memory: { ...(declared.memory as Capabilities), fair: false } };
  expect(generator.render(narrower)).not.toBe(generator.render(declared));
});

test('a capability without words is refused', () => {
  expect(() => generator.render({ memory: { ...declared.memory, flies: true } as never })).toThrow('no words for the capability flies');
});
