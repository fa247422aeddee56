/** Unpacked files: what of them is kept, and links that lead out of them. */
import { lstat, mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/** All files and links below a folder, as paths relative to it, in order. */
export async function filesBelow(folder: string): Promise<{ files: string[]; links: string[] }> {
  const found: { files: string[]; links: string[] } = { files: [], links: [] };
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = relative(folder, join(entry.parentPath, entry.name));
    if (entry.isSymbolicLink()) found.links.push(path);
    else if (entry.isFile()) found.files.push(path);
  }
  found.files.sort();
  found.links.sort();
  return found;
}

/** Removes everything but these paths; one that is not there is passed over. */
export async function keepOnly(folder: string, keep: readonly string[]): Promise<void> {
  const kept = join(folder, '.kept');
  for (const path of keep) {
    if (!(await exists(join(folder, path)))) continue;
    await mkdir(dirname(join(kept, path)), { recursive: true });
    await rename(join(folder, path), join(kept, path));
  }
  for (const name of await readdir(folder)) {
    if (name !== '.kept') await rm(join(folder, name), { recursive: true });
  }
  if (!(await exists(kept))) return;
  for (const name of await readdir(kept)) await rename(join(kept, name), join(folder, name));
  await rm(kept, { recursive: true });
}

/**
 * Makes absolute links lead to the same place inside the folder, and removes those whose place is not there: a Java runtime
 * reads its settings through links to /etc, which is the machine's and not the package's once it is only unpacked.
 */
export async function mendLinks(folder: string): Promise<void> {
  for (const path of (await filesBelow(folder)).links) {
    const link = join(folder, path);
    const target = await readlink(link);
    if (!target.startsWith('/')) continue;
    await rm(link);
    const inside = join(folder, target);
    if (await exists(inside)) await symlink(relative(dirname(link), inside), link);
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
