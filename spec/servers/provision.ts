/**
 * Provisioning: for each server the tests need, an address or a program, from the first place that has one.
 *
 * 1. `RXKV_TEST_<NAME>_URL`: somebody's running server, used as it is.
 * 2. `RXKV_TEST_<NAME>_BIN`: a program (ZooKeeper: its zkServer.sh or folder of jars). One that will not do is an error.
 * 3. PATH, where the version is one we want and its tools are there.
 * 4. The cache, where every file is as it was unpacked.
 * 5. The machine's own Debian mirror, unpacked into the cache: no root, nothing installed (debian.ts).
 */
import { join } from 'node:path';
import { kept, folderOf, unpackInto } from './cache.js';
import { type ProgramName, catalogue } from './catalogue.js';
import type { Mirror } from './debian.js';
import { createMirror } from './debian.js';
import { type Examined, examineCommand, examineCurator, examineZooKeeper, inUnpacked, installed } from './examine.js';
import type { Found, Program, Source } from './found.js';

export interface ProvisionOptions {
  /** Names, paths and PATH come from here, and it is passed to what is run. */
  readonly env: NodeJS.ProcessEnv;
  /** The folder that keeps what was unpacked. */
  readonly cache: string;
  /** Where packages come from: the machine's mirror unless told; false only looks and fetches nothing. */
  readonly mirror?: Mirror | false;
}

/** Looks for all of these at once; never rejects for one that is nowhere, but for one that the environment names wrongly. */
export async function provision<N extends ProgramName>(names: readonly N[], options: ProvisionOptions): Promise<Record<N, Found>> {
  const own = options.mirror === undefined ? createMirror(options.env, join(options.cache, `.apt-${process.pid}`)) : undefined;
  const search: Search = { ...options, mirror: options.mirror ?? own ?? false, java: undefined };
  try {
    const found = await Promise.all(names.map(async name => [name, await find(name, search)] as const));
    return Object.fromEntries(found) as Record<N, Found>;
  } finally {
    await own?.close();
  }
}

interface Search extends ProvisionOptions {
  readonly mirror: Mirror | false;
  /** Looked for once, by the first who needs it. */
  java: Promise<Found> | undefined;
}

async function find(name: ProgramName, search: Search): Promise<Found> {
  const { title, variable, command } = catalogue[name];
  const named = (what: string): string | undefined => search.env[`RXKV_TEST_${variable}_${what}`] || undefined;
  const url = named('URL');
  if (url !== undefined) return { kind: 'address', name, url, why: `${title}: the running one that RXKV_TEST_${variable}_URL names` };

  const refusals: string[] = [];
  const examined = async (source: Source, path: string, from: string, unpackedFrom?: string): Promise<Program | undefined> => {
    const program = await examine(name, path, unpackedFrom, search);
    if (!('refused' in program)) return { kind: 'program', name, source, why: `${title}: ${program.version} ${from}`, ...program };
    refusals.push(`${from}: ${program.refused}`);
    return undefined;
  };

  const path = named('BIN');
  if (path !== undefined) {
    const program = await examined('environment', path, `from RXKV_TEST_${variable}_BIN`);
    if (program === undefined) throw new Error(`${title} ${refusals.join()}`);
    return program;
  }
  const there = await installed(name, search.env);
  if (there === undefined) refusals.push(`no ${command} on PATH`);
  else {
    const program = await examined('path', there, `from PATH, ${there}`);
    if (program !== undefined) return program;
  }
  const unpacked = await unpack(name, search);
  if ('refused' in unpacked) refusals.push(unpacked.refused);
  else {
    const { root, source } = unpacked;
    const { suite } = catalogue[name].debian;
    const from = source === 'cache' ? `from the cache, of ${suite}` : `unpacked now from the machine's mirror, ${suite}`;
    const program = await examined(source, root, from, root);
    if (program !== undefined) return program;
  }
  return { kind: 'missing', name, why: `${title}: ${refusals.join('; ')}` };
}

/** Examines what is at a path, or in an unpacked tree. */
async function examine(name: ProgramName, path: string, root: string | undefined, search: Search): Promise<Examined | { refused: string }> {
  const { env } = search;
  const at = root === undefined ? { command: path, env } : await inUnpacked(name, root, env);
  if (name === 'curator') {
    const zookeeper = await find('zookeeper', search);
    return zookeeper.kind === 'program'
      ? examineCurator(at.command, zookeeper)
      : { refused: `it needs ZooKeeper's jars (${zookeeper.why})` };
  }
  if (name !== 'zookeeper') return examineCommand(name, at.command, at);
  search.java ??= find('java', search);
  const java = await search.java;
  if (java.kind !== 'program') return { refused: `it needs a Java runtime (${java.why})` };
  return examineZooKeeper(at.command, java);
}

async function unpack(
  name: ProgramName,
  { cache, mirror }: Search,
): Promise<{ root: string; source: 'cache' | 'unpacked' } | { refused: string }> {
  const { debian } = catalogue[name];
  const folder = folderOf(cache, name, debian);
  const cached = await kept(folder);
  if ('files' in cached) return { root: cached.files, source: 'cache' };
  if (mirror === false) return { refused: `${cached.refused}; would be unpacked from the machine's Debian mirror, ${debian.suite}` };
  try {
    return { root: await unpackInto(folder, mirror, debian), source: 'unpacked' };
  } catch (error) {
    return { refused: `${cached.refused}; ${error instanceof Error ? error.message : String(error)}` };
  }
}
