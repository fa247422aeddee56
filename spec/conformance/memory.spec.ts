/** The conformance suite on memory: bare, through a view, and with writer and reader on two connections. */
import { Observable } from 'rxjs';
import { expect, test } from 'vitest';
import { createWorld, memory } from '../../src/backends/memory/index.js';
import { conformance } from '../../src/conformance/index.js';
import type { Driver } from '../../src/driver.js';
import { encodeSegment } from '../../src/key.js';
import { silent } from '../../src/logger.js';

/** What a connection has asked of its world. */
interface Traffic {
  trips: number;
  watches: number;
}

const world = createWorld();
const roots = new WeakMap<Driver, string>();
const traffics = new WeakMap<Driver, Traffic>();

function connect({ root }: { root: string }): Driver {
  const driver = memory({ root, world });
  roots.set(driver, root);
  traffics.set(driver, counted(driver));
  return driver;
}

/** Counts the driver's calls, and the feeds that are open on it. */
function counted(driver: Driver): Traffic {
  const traffic: Traffic = { trips: 0, watches: 0 };
  const trip =
    <A extends unknown[], R>(call: (...args: A) => R): ((...args: A) => R) =>
    (...args) => {
      traffic.trips++;
      return call(...args);
    };
  const feed$ = driver.feed$.bind(driver);
  driver.ready = trip(driver.ready.bind(driver));
  driver.list = trip(driver.list.bind(driver));
  driver.commit = trip(driver.commit.bind(driver));
  driver.health = trip(driver.health.bind(driver));
  driver.feed$ = (...range) =>
    new Observable(subscriber => {
      traffic.watches++;
      subscriber.add(() => traffic.watches--);
      subscriber.add(feed$(...range).subscribe(subscriber));
    });
  return traffic;
}

/** The records in the queue of a lock, as somebody else sees them. */
async function contenders(driver: Driver, lock: string): Promise<number> {
  const observer = memory({ root: roots.get(driver) ?? '', world });
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
    cut: driver => world.cut(driver),
    hang: driver => world.hang(driver),
    heal: driver => world.heal(driver),
    expireSession: () => world.expireSessions(),
    compact: () => world.compact(),
    roundTrips: driver => traffics.get(driver)?.trips ?? 0,
    serverWatches: driver => traffics.get(driver)?.watches ?? 0,
    contenders,
    silence: 600,
  },
);
