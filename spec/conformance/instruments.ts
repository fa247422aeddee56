/** Instruments: what a harness counts on a driver of ours, from outside of it. */
import { Observable } from 'rxjs';
import type { Driver } from '../../src/driver.js';
import { encodeSegment } from '../../src/key.js';
import { silent } from '../../src/logger.js';

/** What a connection has asked so far, and the feeds that are open on it. */
export interface Traffic {
  trips: number;
  watches: number;
}

/** Counts the driver's calls and feeds from now on. */
export function counted(driver: Driver): Traffic {
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

const heard = new WeakSet<object>();

/** Tells of each call of that method from now on. Of an object that was given before it does nothing. */
export function onCalls<M extends string>(target: Record<M, (...args: never[]) => unknown>, method: M, told: () => void): void {
  if (heard.has(target)) return;
  heard.add(target);
  const call = target[method].bind(target);
  target[method] = (...args) => {
    told();
    return call(...args);
  };
}

/** The records in the queue of a lock, as somebody else sees them: `observer` is a driver with no store. */
export async function contendersIn(observer: Driver, lock: string): Promise<number> {
  observer.start({ timeout: 5000, silence: 10_000, logger: silent, ending: () => undefined });
  const { entries } = await observer.list({ prefix: `~rxkv/${encodeSegment(lock)}/` }, { timeout: 5000, consistency: 'strong' });
  await observer.close();
  return entries.length;
}
