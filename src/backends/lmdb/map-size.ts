/**
 * The size of the map: how much address space the data file has, which is no memory and no disk.
 *
 * All that it will ever need, from the first on. Where a map must grow, and two threads of the package lmdb come to that at
 * once, one of them notes the new size for the old map (3.5.6, `mdb_env_set_mapsize` in its mdb.c), and closing the folder
 * then takes away what happens to lie behind it: seen as a crash in `mdb_env_close_active`, in one of thirty storms of stores
 * that are opened and closed.
 */
import { readFileSync } from 'node:fs';

const most = 2 ** 36;
const least = 2 ** 30;
/** Part of its address space that a process may give to one folder. */
const share = 4;

/**
 * As an option of the package lmdb: bytes.
 *
 * @param limit  bytes of address space that this process may have: to ask for more than is left would crash it
 */
export function mapSize(limit: number = addressSpace()): { readonly mapSize?: number } {
  let bytes = most;
  while (bytes > limit / share && bytes >= least) bytes /= 2;
  return bytes < least ? {} : { mapSize: bytes };
}

/** What it may have, of which Linux tells (`ulimit -v`). */
function addressSpace(): number {
  // Processes of 32 bits have less than the package asks for by itself.
  if (!/64|s390x/.test(process.arch)) return 0;
  try {
    const limit = /^Max address space\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    return limit === null ? Infinity : Number(limit[1]);
  } catch {
    return Infinity;
  }
}
