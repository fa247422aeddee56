/**
 * The preflight: can LMDB open the folder? It maps the data file into memory and follows whatever it finds there, so
 * a foreign or truncated one kills the process, and so does a lock file that cannot be opened or extended.
 */
import { accessSync, closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KvError } from '../../errors.js';
import { newestMeta, newestTransaction } from './meta.js';
import { allPagesThere } from './pages.js';
import { checkRoom } from './space.js';

/** Looks again when somebody may be making or writing the file just now. */
const looks = 4;
const pause = 25;

/**
 * @throws KvError `invalid` with what is wrong and where, `unavailable` for a full disk; Node's error where a
 *   permission is missing
 */
export async function preflight(folder: string): Promise<void> {
  const file = join(folder, 'data.mdb');
  checkAccess(folder, file);
  checkAccess(folder, join(folder, 'lock.mdb'));
  checkRoom(folder);
  for (let look = 1; ; look++) {
    const wrong = faultOf(file);
    if (wrong === undefined) return;
    if (look === looks) throw new KvError('invalid', `${file} ${wrong}`, { backend: 'lmdb' });
    await delay(pause);
  }
}

/** Without opening it: to close a lock file gives up the locks that this process may have on it. */
function checkAccess(folder: string, file: string): void {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) accessSync(folder, constants.W_OK | constants.X_OK);
  else if (!stat.isFile())
    throw new KvError('invalid', `${file} is a folder or a device, and LMDB keeps a file there`, { backend: 'lmdb' });
  else accessSync(file, constants.R_OK | constants.W_OK);
}

/** What is wrong with the file; undefined where nothing is, or it is not there yet. */
function faultOf(file: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return fault(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function fault(file: number): string | undefined {
  const { size } = fstatSync(file);
  if (size === 0) return undefined;
  const meta = newestMeta(file, size);
  if ('wrong' in meta) return meta.wrong;
  const { pageSize } = meta;
  // The size after the meta pages: a writer extends the file before it says so.
  const pages = Math.floor(fstatSync(file).size / pageSize);
  // A file may end before its last page, where that was freed before it was ever written.
  if (meta.lastPage < pages || allPagesThere(file, { pageSize, pages, roots: meta.roots })) return undefined;
  // Whoever writes it just now has it open in good health.
  if (newestTransaction(file, pageSize) !== meta.transaction) return undefined;
  return `is truncated: it has ${pages} of ${meta.lastPage + 1} pages`;
}
