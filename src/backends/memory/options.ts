/** Options of memory(), and what they mean once they are checked. */
import { checkOptions } from '../../options.js';
import { type RootOptions, rootOf } from '../../root.js';
import { type MemoryWorld, type World, worldOf } from './world.js';

export interface MemoryOptions extends RootOptions {
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
  return { root: rootOf(options, 'memory()'), world: worldOf(options.world) };
}
