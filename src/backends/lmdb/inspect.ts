/** Inspecting a folder of LMDB: what it holds, what is wrong with it, and what to do. */
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { invalid } from '../../errors.js';
import type { Inspection } from './inspection.js';
import { busy, look } from './look.js';

/** Looks that find something wrong must agree, or somebody was writing just then. */
const looks = 5;
const pause = 25;
const sound: ReadonlySet<Inspection['verdict']> = new Set(['healthy', 'absent', 'empty', 'newer', 'older']);

/**
 * Says what a folder holds, whether lmdb() could use it, and what to do where it could not. For a folder that lmdb()
 * refused, and for looking into one from outside.
 *
 * Safe on whatever is there: the files are read and checked page by page, without LMDB, which dies of a damaged
 * one, and without the package `lmdb`. Nothing is written, made or locked, and processes that use the folder are
 * not disturbed. Reads the whole data file in one turn of the event loop, some 3 s for a GiB, and keeps the
 * keys of its change log in memory meanwhile: not for a process that has something else to do.
 *
 * Never rejects for what is in the folder; no value is in the result, but names of locks are.
 *
 * @param path the folder, as in lmdb({ path })
 * @throws KvError `invalid` for what is no path
 * @example
 * const { verdict, problems } = await inspect('./data');
 * for (const { wrong, remedy } of problems) console.log(`${wrong}: ${remedy}`);
 */
export async function inspect(path: string): Promise<Inspection> {
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw invalid("inspect() needs a path, the folder of the database: inspect('./data')", { backend: 'lmdb' });
  const folder = resolve(path);
  let before: string | undefined;
  for (let count = 1; ; count++) {
    const { inspection, stamp } = look(folder);
    const { verdict, path: absolute, files } = inspection;
    if (sound.has(verdict) || (verdict !== 'busy' && stamp === before)) return inspection;
    if (count === looks) return { path: absolute, verdict: 'busy', problems: [busy], files };
    before = stamp;
    await delay(pause);
  }
}
