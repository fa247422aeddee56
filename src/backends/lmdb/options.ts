/** Options of lmdb(), and what they mean once they are checked. */
import { resolve } from 'node:path';
import { invalid } from '../../errors.js';
import { byteLength } from '../../key.js';
import { checkOptions } from '../../options.js';
import { type RootOptions, rootOf } from '../../root.js';
import { maxWholeKey } from './layout.js';

export interface LmdbOptions extends RootOptions {
  /** The folder of the database, made (readable by its owner only) where it is absent; relative to the current directory. */
  path: string;
  /** How many transactions the change log keeps, for watches to go on from; 100 000, some 7 MiB. */
  history?: number;
}

export interface Settings {
  /** Absolute. */
  readonly path: string;
  /** What stands before each key. */
  readonly root: string;
  readonly history: number;
}

const where = 'lmdb()';
/** Bytes; our own records (lock queues: 512 bytes of name, and a contender) need room below the root. */
const mostRoot = maxWholeKey - 640;

/** @throws KvError `invalid` */
export function settingsOf(options: LmdbOptions): Settings {
  if (options === undefined) throw invalid(`${where} needs a path: lmdb({ path: './data' })`);
  checkOptions(options, ['path', 'root', 'rawRoot', 'history'], where);
  const { path, history = 100_000 } = options;
  if (typeof path !== 'string' || path === '') throw invalid(`${where} needs a path, the folder of the database: lmdb({ path: './data' })`);
  if (path.includes('\0')) throw invalid(`the path of ${where} has a NUL`);
  if (!Number.isSafeInteger(history) || history < 1) throw invalid(`history of ${where} is a whole number of transactions, at least 1`);
  return { path: resolve(path), root: checkLength(rootOf(options, where)), history };
}

/** Leaves room for a key and for what our own records add to it. */
function checkLength(root: string): string {
  const bytes = byteLength(root);
  if (bytes > mostRoot) throw invalid(`the root of ${where} has ${bytes} bytes of UTF-8, over the maximum of ${mostRoot}`);
  return root;
}
