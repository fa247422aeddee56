/** A plain driver: how the suite speaks to one with no store over it. */
import type { Call, Driver, DriverOp, Feed, Outcome } from '../driver.js';
import type { Entry } from '../entry.js';
import { text } from '../text.js';
import { stateOf } from './contents.js';
import type { Harness } from './harness.js';
import type { Recording } from './recording.js';
import { until } from './waiting.js';

export const call: Call = { timeout: 10_000 };
export const query: Call & { readonly consistency: 'strong' } = { ...call, consistency: 'strong' };

export function bytes(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(value);
}

export async function commit(driver: Driver, ...ops: DriverOp[]): Promise<Outcome> {
  return driver.commit({ checks: [], ops }, call);
}

export async function write(driver: Driver, key: string, value: string): Promise<Entry> {
  const outcome = await commit(driver, { put: key, value: bytes(value) });
  const entry = outcome.ok ? outcome.results[0]?.entry : undefined;
  if (entry === undefined) throw new Error('a put without a check gave no entry');
  return entry;
}

/** What the messages so far add up to. */
export function folded(messages: readonly Feed[]): Map<string, string> {
  const pairs = new Map<string, string>();
  const add = (entries: readonly Entry[]): void => entries.forEach(entry => pairs.set(entry.key, text(entry)));
  for (const message of messages) {
    if (message.type === 'mark') continue;
    if (message.type === 'reset') {
      pairs.clear();
      add(message.entries);
      continue;
    }
    for (const change of message.changes) {
      if ('put' in change) add([change.put]);
      else if ('delete' in change) pairs.delete(change.delete);
      else {
        for (const key of [...pairs.keys()]) if (key.startsWith(change.replace)) pairs.delete(key);
        add(change.entries);
      }
    }
  }
  return pairs;
}

export async function addsUp(feed: Recording<Feed>, wanted: Readonly<Record<string, string>>, limit: number): Promise<void> {
  const state = stateOf(new Map(Object.entries(wanted)));
  await until(
    () => feed.values.some(({ type }) => type !== 'mark') && stateOf(folded(feed.values)) === state,
    `the feed to add up to ${state}`,
    limit,
  );
}

/** The last revision that a feed said, marks included. */
export function lastRevision(feed: Recording<Feed>): bigint {
  return feed.values.reduce((last, { revision }) => revision ?? last, 0n);
}

/** What an operator does to the holder of a lock: deletes its record. The lock must be the only one. */
export async function evict(harness: Harness, operator: Driver, lock: string): Promise<void> {
  if (harness.evict !== undefined) return harness.evict(operator, lock);
  const { entries } = await operator.list({ prefix: '~rxkv/' }, query);
  // Who has been in the queue for longest holds.
  const [oldest] = entries.filter(({ leased }) => leased).sort((a, b) => (a.created < b.created ? -1 : 1));
  if (oldest === undefined) throw new Error('no leased record is listed below ~rxkv/: the harness needs evict()');
  await operator.commit({ checks: [], ops: [{ delete: oldest.key }] }, call);
}
