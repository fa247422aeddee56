/** Pages: the README and the documentation as the reader gets them, taken apart into blocks of code. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The top folder of the checkout, with a slash at its end. */
export const root: string = fileURLToPath(new URL('../../', import.meta.url));

export interface Page {
  /** From the top folder on: `docs/errors.md` */
  readonly path: string;
  readonly source: string;
}

/** A fenced block of TypeScript. */
export interface Block {
  readonly page: string;
  /** Of its first line of code, counted from 1. */
  readonly line: number;
  readonly code: string;
  /** Code that the page has in a comment, for the blocks after it: what they talk about without saying it. */
  readonly prelude: string;
  /** What stands behind `ts` on the fence: `no-run`, `excerpt=path`. */
  readonly info: readonly string[];
}

/** The README, the papers beside it, and all of docs/. */
export function pages(): Page[] {
  const docs = readdirSync(`${root}docs`, { recursive: true, encoding: 'utf8' }).map(path => `docs/${path.replaceAll('\\', '/')}`);
  const top = readdirSync(root).filter(name => name !== 'CHANGELOG.md');
  return [...top, ...docs]
    .filter(path => path.endsWith('.md'))
    .sort()
    .map(path => ({ path, source: readFileSync(root + path, 'utf8') }));
}

const prelude = /^<!-- prelude$/;

/** Preludes of pages whose blocks are pieces of a file of tests that the page begins with. */
const sharedPreludes: Readonly<Record<string, string>> = {
  'docs/conformance.md': `import { conformance } from 'rxkv/conformance';
import { createWorld, memory } from 'rxkv/memory';
import { expect, test } from 'vitest';`,
};

/** The blocks of a page. A comment that begins with `<!-- prelude` counts for all blocks after it, up to the next. */
export function blocksOf({ path, source }: Page): Block[] {
  const lines = source.split('\n');
  const blocks: Block[] = [];
  let before = sharedPreludes[path] ?? '';
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    const fence = /^```(\S*) ?(.*)$/.exec(line);
    if (fence === null && !prelude.test(line)) continue;
    const end = lines.indexOf(fence === null ? '-->' : '```', i + 1);
    if (end === -1) throw new Error(`${path}:${i + 1}: what begins here has no end`);
    const code = lines.slice(i + 1, end).join('\n');
    if (fence === null) before = code;
    else if (fence[1] === 'ts')
      blocks.push({ page: path, line: i + 2, code, prelude: before, info: (fence[2] as string).split(' ').filter(Boolean) });
    i = end;
  }
  return blocks;
}

/** `README.md:12`, which editors open. */
export function titleOf({ page, line }: Pick<Block, 'page' | 'line'>): string {
  return `${page}:${line}`;
}

/** The file that a block is an excerpt of; such a block is no program. */
export function excerptOf({ info }: Block): string | undefined {
  return info.find(word => word.startsWith('excerpt='))?.slice('excerpt='.length);
}
