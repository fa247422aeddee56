/**
 * Packs the package once for all packaging tests and unpacks it as npm would, without a network.
 *
 * The consumers stand outside the checkout: inside it, Node would find our own node_modules whatever they lack.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { execute, root } from './execute.js';
import { provideTools, type Tools } from './tools.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The file that would be published. */
    tarball: string;
    /** A project that has installed rxkv, rxjs and every client. */
    consumer: string;
    /** A project that has installed rxkv and rxjs only. */
    bare: string;
    /** Jest, TypeScript 5.9 and esbuild. */
    tools: Tools;
  }
}

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
  readonly peerDependenciesMeta: Record<string, { optional?: boolean }>;
}

export default async function setup(project: TestProject): Promise<() => void> {
  if (!existsSync(join(root, 'dist/esm')) || !existsSync(join(root, 'dist/cjs'))) throw new Error('dist/ is not built: npm run build');
  const folder = mkdtempSync(join(tmpdir(), 'rxkv-packaging-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
    // Scripts would build anew; who runs the tests has built.
    const packed = await execute('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], root);
    const tarball = join(folder, packed.stdout.trim());
    const optional = Object.keys(manifest.peerDependencies).filter(name => manifest.peerDependenciesMeta[name]?.optional === true);
    const required = [
      ...Object.keys(manifest.dependencies),
      ...Object.keys(manifest.peerDependencies).filter(name => !optional.includes(name)),
    ];
    const tools = await provideTools(process.env);
    if (tools.kind === 'missing') console.warn(`\n*** SKIPPED, TESTS OF THE PACKED PACKAGE IN OTHER PEOPLE'S TOOLS: ${tools.why}\n`);
    project.provide('tools', tools);
    project.provide('tarball', tarball);
    project.provide('consumer', await install(join(folder, 'consumer'), tarball, [...required, ...optional]));
    project.provide('bare', await install(join(folder, 'bare'), tarball, required));
  } catch (error) {
    remove();
    throw error;
  }
  return remove;
}

/** A project with the tarball unpacked, the packages linked from ours, and the files of consumers/. */
async function install(project: string, tarball: string, packages: readonly string[]): Promise<string> {
  const target = join(project, 'node_modules/rxkv');
  mkdirSync(target, { recursive: true });
  await execute('tar', ['-xzf', tarball, '--strip-components=1', '-C', target], project);
  for (const name of packages) {
    const link = join(project, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link, 'junction');
  }
  cpSync(fileURLToPath(new URL('consumers', import.meta.url)), project, { recursive: true });
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true }));
  return project;
}
