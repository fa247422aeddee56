/** Programs: blocks of documentation as modules that compile and run. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Block, root, titleOf } from './pages.js';

export interface Program {
  readonly block: Block;
  /** Its file name. */
  readonly file: string;
  readonly source: string;
  /** The line of `source` that the block's first line is. */
  readonly start: number;
}

const named = /^import (type )?\{([^}]*)\} from '([^']+)';$/;

/**
 * A block as a module: the imports of the prelude and of the block, each once; the prelude; then the block in a scope
 * of its own, so that it may name things as the prelude does.
 */
export function programOf(block: Block): Program {
  const prelude = apart(block.prelude);
  const code = apart(block.code);
  const head = [...importsOf([...prelude.imports, ...code.imports]), prelude.body, '{'].join('\n');
  return {
    block,
    file: `${titleOf(block).replaceAll(/[^\w]/g, '-')}.ts`,
    source: `${head}\n${code.body}\n}\nexport {};\n`,
    start: head.split('\n').length + 1,
  };
}

/** Files of the reader's project that pages import, by their path in it. */
const readers: Readonly<Record<string, string>> = {
  'src/dynamo.ts': `import { mapDriver } from '${root}docs/examples/map-driver.js';
export const dynamo = ({ root }: { table: string; root: string }) => mapDriver({ root });
`,
};

/** Where a program is in the folder; the readers' files stand beside it, so `../src/` leads to them. */
export function pathOf({ file }: Program, folder: string): string {
  return join(folder, 'spec', file);
}

/** Writes the programs and compiles them into nothing, in one run; what is wrong, by title, at the line of the page. */
export async function compile(programs: readonly Program[], folder: string): Promise<ReadonlyMap<string, readonly string[]>> {
  for (const name of ['spec', 'src']) mkdirSync(join(folder, name));
  for (const [path, source] of Object.entries(readers)) writeFileSync(join(folder, path), source);
  for (const program of programs) writeFileSync(pathOf(program, folder), program.source);
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false, isolatedDeclarations: false, declaration: false };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: `${root}tsconfig.json`, compilerOptions, include: ['spec', 'src'] }),
  );
  const complaints = new Map<string, string[]>();
  for (const line of (await tsc(folder)).split('\n')) {
    const found = /^(?:.*[\\/])?([^\\/(]+\.ts)\((\d+),\d+\): error (.*)$/.exec(line);
    if (found === null) {
      if (line.includes('error TS')) complaints.set('the compiler', [...(complaints.get('the compiler') ?? []), line]);
      continue;
    }
    const program = programs.find(({ file }) => file === found[1]);
    // An error in a source is somebody else's, and `npm run types` tells it.
    if (program === undefined) continue;
    const title = titleOf(program.block);
    const place = titleOf({ page: program.block.page, line: program.block.line + Number(found[2]) - program.start });
    complaints.set(title, [...(complaints.get(title) ?? []), `${place}: ${found[3]}`]);
  }
  return complaints;
}

/** What a block says that it prints: what stands behind `// prints `, in order. */
export function promisedOutput({ code }: Block): string[] {
  return [...code.matchAll(/\/\/ prints (.*)$/gm)].map(match => match[1] as string);
}

/** Lines of a block that are imports, and the rest with empty lines in their place. */
function apart(code: string): { imports: string[]; body: string } {
  const imports: string[] = [];
  const body = code.replaceAll(/^import [^;]*;$/gm, statement => {
    imports.push(statement.replaceAll(/\s+/g, ' '));
    return statement.replaceAll(/[^\n]/g, '');
  });
  return { imports, body };
}

function importsOf(statements: readonly string[]): string[] {
  const others = new Set<string>();
  const names = new Map<string, Set<string>>();
  for (const statement of statements) {
    const found = named.exec(statement);
    if (found === null) {
      others.add(statement);
      continue;
    }
    const [, type = '', list = '', from = ''] = found;
    const known = names.get(from) ?? new Set<string>();
    names.set(from, known);
    for (const name of list.split(',').map(part => part.trim())) if (name !== '') known.add(type + name);
  }
  // A name that is imported both as a type and as a value is a value.
  const listed = (known: ReadonlySet<string>): string =>
    [...known].filter(name => !(name.startsWith('type ') && known.has(name.slice('type '.length)))).join(', ');
  return [...others, ...[...names].map(([from, known]) => `import { ${listed(known)} } from '${from}';`)];
}

function tsc(folder: string): Promise<string> {
  return new Promise(resolve => {
    execFile(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { cwd: folder, maxBuffer: 1 << 24 }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
}
