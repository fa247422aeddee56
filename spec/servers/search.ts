/** Looking for programs on a machine: what the environment names, and what is on its PATH. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';

/** The first folder of PATH that has the command, as the command's path. */
export async function onPath(command: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    if (folder === '') continue;
    const path = resolve(folder, command);
    if (await isCommand(path)) return path;
  }
  return undefined;
}

/** A command's companion: in the same folder, else on PATH. */
export async function beside(command: string, companion: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const neighbour = join(command, '..', companion);
  return (await isCommand(neighbour)) ? neighbour : onPath(companion, env);
}

export async function isCommand(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    found => found.isDirectory(),
    () => false,
  );
}
