/** Memory: a store within this process, for tests and for what need not outlive it. */
import type { Driver } from '../../driver.js';
import { createLocalDriver } from '../local/driver.js';
import { capabilities } from './capabilities.js';
import { type MemoryOptions, settingsOf } from './options.js';

export type { MemoryOptions } from './options.js';
export { createWorld, type World } from './world.js';

/**
 * A driver that keeps everything in the memory of this process. All guarantees hold as on a server; what is
 * written is gone with the last store of its world.
 *
 * @throws KvError `invalid` for an unknown option, a root that is no directory, or root and rawRoot at once
 * @example
 * const store = createStore(memory());
 * @example
 * const world = createWorld();
 * const [one, other] = [createStore(memory({ world })), createStore(memory({ world }))];
 */
export function memory(options?: MemoryOptions): Driver {
  const { root, world } = settingsOf(options);
  return world.connect((gate, open) => createLocalDriver({ name: 'memory', root, capabilities, open, gate }));
}
