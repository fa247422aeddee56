/** The conformance suite on memory: bare, through a view, and with writer and reader on two connections. */
import { Observable } from 'rxjs';
import { expect, test } from 'vitest';
import { createWorld, memory, type World } from '../../src/backends/memory/index.js';
import { conformance } from '../../src/conformance/index.js';
import type { Driver } from '../../src/driver.js';
import { encodeSegment } from '../../src/key.js';
import { silent } from '../../src/logger.js';

/** What a connection has asked of its world. */
interface Traffic {
  trips: number;
  watches: number;
}

/** The world that a root is in; each test has a root of its own. */
const worlds = new Map<string, World>();
const homes = new WeakMap<Driver, { root: string; world: World }>();
const traffics = new WeakMap<Driver, Traffic>();

function connect({ root }: { root: string }): Driver {
  const world = worlds.get(root) ?? createWorld();
  worlds.set(root, world);
  const driver = memory({ root, world });
  homes.set(driver, { root, world });
  traffics.set(driver, counted(driver));
  return driver;
}

/** Counts the driver's calls, and the feeds that are open on it. */
function counted(driver: Driver): Traffic {
  const traffic: Traffic = { trips: 0, watches: 0 };
  const { list, commit, feed$ } = driver;
  driver.list = (...call) => {
    traffic.trips++;
    return list.apply(driver, call);
  };
  driver.commit = (...call) => {
    traffic.trips++;
    return commit.apply(driver, call);
  };
  driver.feed$ = (...range) =>
    new Observable(subscriber => {
      traffic.watches++;
      subscriber.add(() => traffic.watches--);
      subscriber.add(feed$.apply(driver, range).subscribe(subscriber));
    });
  return traffic;
}

function worldOf(driver: Driver): World {
  const home = homes.get(driver);
  if (home === undefined) throw new Error('the driver is none of these worlds');
  return home.world;
}

/** The records in the queue of a lock, as somebody else sees them. */
async function contenders(driver: Driver, lock: string): Promise<number> {
  const observer = memory(homes.get(driver));
  observer.start({ timeout: 5000, silence: 10_000, logger: silent, ending: () => undefined });
  const { entries } = await observer.list({ prefix: `~rxkv/${encodeSegment(lock)}/` }, { timeout: 5000, consistency: 'strong' });
  await observer.close();
  return entries.length;
}

conformance(
  { test, expect },
  {
    name: 'memory',
    connect,
    cut: driver => worldOf(driver).cut(driver),
    hang: driver => worldOf(driver).hang(driver),
    heal: driver => worldOf(driver).heal(driver),
    expireSession: driver => worldOf(driver).expireSessions(),
    compact: () => {
      for (const world of worlds.values()) world.compact();
    },
    roundTrips: driver => traffics.get(driver)?.trips ?? 0,
    serverWatches: driver => traffics.get(driver)?.watches ?? 0,
    contenders,
    silence: 600,
  },
);
