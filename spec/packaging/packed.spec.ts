/** The tarball: what is in it, and what the linters of packages say about it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { execute, root, tool } from './execute.js';

const manifest = JSON.parse(readFileSync(join(inject('bare'), 'node_modules/rxkv/package.json'), 'utf8')) as Record<string, unknown>;

async function packedFiles(): Promise<string[]> {
  const { stdout } = await execute('tar', ['-tzf', inject('tarball')], root);
  return stdout
    .split('\n')
    .filter(line => line !== '' && !line.endsWith('/'))
    .map(line => line.replace(/^package\//, './'));
}

/** Every file that a field of package.json names. */
function targets(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(targets) : [];
}

test('holds the build, the licence and the papers, nothing else', async () => {
  const files = await packedFiles();
  const allowed = /^\.\/(dist\/(esm|cjs)\/.+\.(js|d\.ts)(\.map)?|dist\/cjs\/package\.json|package\.json|LICENSE|README\.md|CHANGELOG\.md)$/;
  expect(files.filter(file => !allowed.test(file))).toEqual([]);
  expect(files).toEqual(expect.arrayContaining(['./package.json', './LICENSE', './CHANGELOG.md', './dist/cjs/package.json']));
});

test('has every file that package.json points at', async () => {
  const files = await packedFiles();
  const named = [manifest.exports, manifest.main, manifest.types, manifest.typesVersions].flatMap(targets);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter(file => !files.includes(file))).toEqual([]);
});

test('asks for rxjs, and for no client', () => {
  const { peerDependencies, peerDependenciesMeta, dependencies } = manifest as Record<string, Record<string, { optional?: boolean }>>;
  const required = Object.keys(peerDependencies ?? {}).filter(name => peerDependenciesMeta?.[name]?.optional !== true);
  expect(required).toEqual(['rxjs']);
  expect(Object.keys(dependencies ?? {})).toEqual(['@standard-schema/spec']);
});

test('publint finds nothing', async () => {
  const { stdout } = await execute(tool('publint'), ['run', inject('tarball'), '--strict'], root);
  expect(stdout).toContain('All good');
});

test('are the types wrong? In no resolution mode', async () => {
  const { stdout } = await execute(tool('attw'), [inject('tarball'), '--no-definitely-typed', '--no-color', '--format', 'ascii'], root);
  expect(stdout).toContain('No problems found');
});
