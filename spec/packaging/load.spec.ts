/** Loading the packed package: every subpath in both module systems, and nothing that was not asked for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { attempt, execute } from './execute.js';

interface Manifest {
  readonly exports: Record<string, { import: { default: string } } | string>;
  readonly peerDependencies: Record<string, string>;
}

const consumer = inject('consumer');
const bare = inject('bare');
const manifest = JSON.parse(readFileSync(join(consumer, 'node_modules/rxkv/package.json'), 'utf8')) as Manifest;

/** What a user writes after "from", and the file behind it. */
const subpaths = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  typeof target === 'string' ? [] : [{ name: `rxkv${subpath.slice(1)}`, file: target.import.default }],
);
const clients = Object.keys(manifest.peerDependencies).filter(name => name !== 'rxjs');

/** The client of each backend; one that is not here runs without. */
const clientOf: Readonly<Record<string, string>> = {
  lmdb: 'lmdb',
  etcd: 'etcd3',
  consul: 'consul',
  zookeeper: 'node-zookeeper-client',
  redis: 'ioredis',
};

function runsWithoutClient(file: string): boolean {
  const backend = backendOf(file);
  return backend === undefined || clientOf[backend] === undefined;
}

async function names(program: string): Promise<Record<string, string[]>> {
  const { stdout } = await execute(process.execPath, [program, ...subpaths.map(({ name }) => name)], consumer);
  return JSON.parse(stdout) as Record<string, string[]>;
}

async function loaded(program: string, project: string, name: string): Promise<string[]> {
  const log = join(project, `loaded-${name.replaceAll('/', '-')}.log`);
  const { stdout } = await execute(process.execPath, [program, name, log], project);
  return JSON.parse(stdout) as string[];
}

/** 'rxjs' of file:///somewhere/node_modules/rxjs/dist/cjs/index.js */
function packagesOf(urls: readonly string[]): Set<string> {
  const found = urls.map(url => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1]);
  return new Set(found.filter(name => name !== undefined));
}

/** The backend whose folder the file is in. */
function backendOf(file: string): string | undefined {
  return /\/backends\/([^/]+)\//.exec(file)?.[1];
}

describe('every subpath', () => {
  test('can be imported and required, and exports the same names either way', async () => {
    const [imported, required] = await Promise.all([names('names.mjs'), names('names.cjs')]);
    expect(Object.keys(imported)).toEqual(subpaths.map(({ name }) => name));
    expect(required).toEqual(imported);
  });

  test('exports what the documentation says', async () => {
    const found = await names('names.mjs');
    expect(found.rxkv).toEqual(
      expect.arrayContaining(
        ['createStore', 'KvError', 'text', 'mapKeys', 'bytes', 'utf8', 'json'].concat([
          'diff',
          'deltas',
          'toSnapshot',
          'decode',
          'retryTransient',
          'whileHeld',
          'whileLeading',
        ]),
      ),
    );
    expect(found['rxkv/memory']).toEqual(expect.arrayContaining(['memory', 'createWorld']));
    expect(found['rxkv/lmdb']).toEqual(expect.arrayContaining(['lmdb', 'inspect']));
    expect(found['rxkv/etcd']).toContain('etcd');
    expect(found['rxkv/consul']).toContain('consul');
    expect(found['rxkv/open']).toContain('open');
    expect(found['rxkv/driver']).toContain('KvError');
    expect(found['rxkv/conformance']?.length).toBeGreaterThan(0);
  });

  test('package.json is a subpath too, for tools', async () => {
    const { stdout } = await execute(process.execPath, ['-p', 'require("rxkv/package.json").name'], consumer);
    expect(stdout.trim()).toBe('rxkv');
  });

  test('what is not exported cannot be reached', async () => {
    const { code, stderr } = await attempt(process.execPath, ['-e', 'require("rxkv/dist/cjs/store.js")'], consumer);
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });
});

describe.each([
  { how: 'imported', program: 'loaded.mjs' },
  { how: 'required', program: 'loaded.cjs' },
])('$how', ({ program }) => {
  test.each(subpaths)('$name loads no client but its own, and no other backend', async ({ name, file }) => {
    const urls = await loaded(program, consumer, name);
    expect(urls.some(url => url.endsWith(file.replace('./dist/esm/', '/')))).toBe(true);
    const backend = backendOf(file);
    const own = backend === undefined ? [] : [backend, 'local'];
    const client = backend === undefined ? undefined : clientOf[backend];
    const others = urls
      .filter(url => url.includes('/node_modules/rxkv/'))
      .filter(url => !own.concat('undefined').includes(`${backendOf(url)}`));
    expect(others).toEqual([]);
    expect(clients.filter(found => found !== client && packagesOf(urls).has(found))).toEqual([]);
  });

  test.each(subpaths.filter(({ file }) => runsWithoutClient(file) && !file.includes('/conformance/')))(
    '$name needs rxjs alone: no other package, no module of Node',
    async ({ name }) => {
      const urls = await loaded(program, bare, name);
      expect([...packagesOf(urls)].filter(found => !['rxkv', 'rxjs', 'tslib'].includes(found))).toEqual([]);
      expect(urls.filter(url => url.startsWith('node:'))).toEqual([]);
    },
  );
});

test('each client that a backend asks for is known here, and the loader sees it where it is', async () => {
  expect(clients.filter(client => !Object.values(clientOf).includes(client))).toEqual([]);
  for (const program of ['loaded.mjs', 'loaded.cjs']) {
    for (const client of clients) expect(packagesOf(await loaded(program, consumer, client))).toContain(client);
  }
});

test('a folder of LMDB is inspected without the package lmdb', async () => {
  const { stdout } = await execute(
    process.execPath,
    ['-p', 'require("rxkv/lmdb").inspect(".").then(({ verdict }) => console.log(verdict))'],
    bare,
  );
  expect(stdout).toContain('empty');
});

test.each([
  { url: 'lmdb:./data', client: 'lmdb' },
  { url: 'etcd://localhost', client: 'etcd3' },
  { url: 'consul://localhost', client: 'consul' },
])('opening $url where $client is not installed says what to install', async ({ url, client }) => {
  const { stdout } = await execute(process.execPath, ['without-client.mjs', url], bare);
  expect(JSON.parse(stdout)).toEqual({
    recognised: true,
    code: 'unsupported',
    message: expect.stringContaining(`npm install ${client}`) as string,
  });
});
