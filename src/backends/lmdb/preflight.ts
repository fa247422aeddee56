/**
 * The preflight: can LMDB open the folder? It maps the data file into memory and follows whatever it finds there, so
 * a foreign or truncated one kills the process, and so does a lock file that cannot be opened or extended.
 */
import { accessSync, closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KvError } from '../../errors.js';
import { allPagesThere } from './pages.js';
import { checkRoom } from './space.js';

// The fork of LMDB in the package lmdb, "data format 2": 24 bytes of page header, then the meta record.
const magic = 0xbeefc0de;
const format = 2;
const metaBytes = 192;
const smallest = 8192;

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
  if (size < smallest) return 'is too short to be an LMDB database';
  const first = metaAt(file, 0);
  if (first.magic !== magic) return 'is no LMDB database';
  if (first.version !== format) return `is an LMDB database of data format ${first.version}, and the package lmdb reads ${format}`;
  const { pageSize } = first;
  if (pageSize < 256 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) return 'is damaged: its page size is impossible';
  const second = metaAt(file, pageSize);
  if (second.magic !== magic || second.version !== format) return 'is damaged: its second meta page is none';
  const meta = first.transaction >= second.transaction ? first : second;
  // The size after the meta pages: a writer extends the file before it says so.
  const pages = Math.floor(fstatSync(file).size / pageSize);
  // A file may end before its last page, where that was freed before it was ever written.
  if (meta.lastPage < pages || allPagesThere(file, { pageSize, pages, roots: meta.roots })) return undefined;
  // Whoever writes it just now has it open in good health.
  if (newest(file, pageSize) !== meta.transaction) return undefined;
  return `is truncated: it has ${pages} of ${meta.lastPage + 1} pages`;
}

interface Meta {
  readonly magic: number;
  readonly version: number;
  readonly pageSize: number;
  readonly lastPage: number;
  readonly transaction: number;
  /** Of the list of free pages, and of the databases. */
  readonly roots: readonly bigint[];
}

function metaAt(file: number, position: number): Meta {
  const bytes = Buffer.alloc(metaBytes);
  readSync(file, bytes, 0, metaBytes, position);
  return {
    magic: bytes.readUInt32LE(24),
    version: bytes.readUInt32LE(28),
    pageSize: bytes.readUInt32LE(48),
    roots: [bytes.readBigUInt64LE(88), bytes.readBigUInt64LE(136)],
    lastPage: Number(bytes.readBigUInt64LE(144)),
    transaction: Number(bytes.readBigUInt64LE(152)),
  };
}

function newest(file: number, pageSize: number): number {
  return Math.max(metaAt(file, 0).transaction, metaAt(file, pageSize).transaction);
}
