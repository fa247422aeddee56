/**
 * Unpacked servers, kept for the next run: one folder each, with a manifest of the sha256 of every file in it.
 *
 * A folder appears under its name only when it is whole, so an interrupted run leaves nothing that looks like one, and two
 * runs at once do not disturb each other. What was changed since is not used: it is unpacked anew.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Packages } from './catalogue.js';
import type { Mirror } from './debian.js';
import { filesBelow } from './tree.js';

interface Manifest {
  /** sha256 of the packages as they were fetched. */
  readonly packages: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
  readonly links: Readonly<Record<string, string>>;
}

/** The folder's name says what is in it: another suite or processor is another folder. */
export function folderOf(cache: string, name: string, { suite }: Packages): string {
  return join(cache, `${name}-${suite}-${process.arch}`);
}

/**
 * The unpacked files that a folder holds, or why they are not used: never unpacked, or not as they were.
 */
export async function kept(folder: string): Promise<{ files: string } | { refused: string }> {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as Manifest;
  } catch {
    return { refused: 'not in the cache' };
  }
  const root = join(folder, 'root');
  const wrong = await firstDifference(manifest, root);
  return wrong === undefined ? { files: root } : { refused: `the cache has a changed ${wrong}` };
}

/** Unpacks from the mirror into the folder, whatever it held; resolves with where the files are. */
export async function unpackInto(folder: string, mirror: Mirror, wanted: Packages): Promise<string> {
  await mkdir(dirname(folder), { recursive: true });
  const fresh = await mkdtemp(`${folder}.`);
  try {
    const root = join(fresh, 'root');
    await mkdir(root);
    const packages = await mirror.unpack(wanted, root);
    await writeFile(join(fresh, 'manifest.json'), `${JSON.stringify(await manifestOf(root, packages), undefined, 2)}\n`);
    await replace(folder, fresh);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw error;
  }
  return join(folder, 'root');
}

async function replace(folder: string, fresh: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    // Another run was faster: what it runs from stays where it is.
    if ('files' in (await kept(folder))) return rm(fresh, { recursive: true });
    const old = `${fresh}.old`;
    // It may be gone, and it may be back before we are there: both are another run's doing.
    await rename(folder, old).catch(() => undefined);
    try {
      await rename(fresh, folder);
      return;
    } catch (error) {
      if (tries === 5) throw error;
    } finally {
      await rm(old, { recursive: true, force: true });
    }
  }
}

async function manifestOf(root: string, packages: Manifest['packages']): Promise<Manifest> {
  const { files, links } = await filesBelow(root);
  const sums: Record<string, string> = {};
  for (const path of files) sums[path] = await checksum(join(root, path));
  const targets: Record<string, string> = {};
  for (const path of links) targets[path] = await readlink(join(root, path));
  return { packages, files: sums, links: targets };
}

/** The first path that is not as the manifest says. */
async function firstDifference({ files, links }: Manifest, root: string): Promise<string | undefined> {
  for (const [path, sum] of Object.entries(files)) {
    if ((await checksum(join(root, path)).catch(() => undefined)) !== sum) return path;
  }
  for (const [path, target] of Object.entries(links)) {
    if ((await readlink(join(root, path)).catch(() => undefined)) !== target) return path;
  }
  return undefined;
}

async function checksum(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
