/** The conformance suite on memory: all in one world, where each test has a root of its own. */
import { expect, test } from 'vitest';
import { createWorld, memory } from '../../src/backends/memory/index.js';
import { conformance } from '../../src/conformance/index.js';
import type { Driver } from '../../src/driver.js';
import { contendersIn, counted, type Traffic } from './instruments.js';

const world = createWorld();
const roots = new WeakMap<Driver, string>();
const traffics = new WeakMap<Driver, Traffic>();

function connect({ root }: { root: string }): Driver {
  const driver = memory({ root, world });
  roots.set(driver, root);
  traffics.set(driver, counted(driver));
  return driver;
}

conformance(
  { test, expect },
  {
    name: 'memory',
    connect,
    cut: driver => world.cut(driver),
    hang: driver => world.hang(driver),
    heal: driver => world.heal(driver),
    expireSession: () => world.expireSessions(),
    compact: () => world.compact(),
    roundTrips: driver => traffics.get(driver)?.trips ?? 0,
    serverWatches: driver => traffics.get(driver)?.watches ?? 0,
    contenders: (driver, lock) => contendersIn(memory({ root: roots.get(driver) ?? '', world }), lock),
    silence: 600,
  },
);
