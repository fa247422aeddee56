/** Options of memory(), and what they mean once they are checked. */
import { invalid } from '../../errors.js';
import { normaliseDirectory, reserved } from '../../key.js';
import { checkOptions } from '../../options.js';
import { type MemoryWorld, type World, worldOf } from './world.js';

export interface MemoryOptions {
  /** A directory that all keys are under: several applications in one world. None by default. */
  root?: string;
  /** A prefix byte for byte instead of `root`, for key spaces that others wrote. */
  rawRoot?: string;
  /** What this store shares with others; a world of its own by default. */
  world?: World;
}

export interface Settings {
  /** What stands before each key. */
  readonly root: string;
  readonly world: MemoryWorld;
}

/** @throws KvError `invalid` */
export function settingsOf(options: MemoryOptions = {}): Settings {
  checkOptions(options, ['root', 'rawRoot', 'world'], 'memory()');
  return { root: rootOf(options), world: worldOf(options.world) };
}

function rootOf({ root, rawRoot }: MemoryOptions): string {
  if (rawRoot === undefined) return normaliseDirectory(root ?? '');
  if (root !== undefined) throw invalid('memory() takes root or rawRoot, not both');
  if (typeof rawRoot !== 'string') throw invalid(`rawRoot of memory() is a string, not ${rawRoot === null ? 'null' : `a ${typeof rawRoot}`}`);
  if (rawRoot.split('/').includes(reserved)) throw invalid(`rawRoot of memory() has the reserved segment "${reserved}"`);
  return rawRoot;
}
