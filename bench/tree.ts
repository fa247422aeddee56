/** The tree bench: what one changed key costs those who watch a large tree, in CPU time. */
import { bufferCount, firstValueFrom, merge, Subscription, take } from 'rxjs';
import { createStore, deltas, diff, type Store } from 'rxkv';
import type { Driver } from 'rxkv/driver';
import { memory } from 'rxkv/memory';
import { keysOf, pick, valueOf } from './keys.js';
import { atMost, median, type Row, ratios } from './row.js';
import { shown } from './table.js';

const rounds = 7;
const changes = 5000;
const many = 50;

/** A tree in memory, and how to change one key of it after the other. */
interface Tree {
  readonly store: Store;
  readonly change: (values: readonly Uint8Array[]) => Promise<void>;
}

export async function treeBench(): Promise<Row[]> {
  return [...(await costs()), ...(await firstDiffs())];
}

async function costs(): Promise<Row[]> {
  const large = await treeOf(createStore(memory()), 100_000);
  const small = await treeOf(createStore(memory()), 1000);
  const unwatched: number[] = [];
  const one: number[] = [];
  const smallOne: number[] = [];
  const fifty: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const measured = [await costOf(large, 0), await costOf(large, 1), await costOf(small, 1), await costOf(large, many)];
    // The first round warms up.
    if (round > 0) [unwatched, one, smallOne, fifty].forEach((list, i) => list.push(measured[i] as number));
  }
  await Promise.all([large.store.close(), small.store.close()]);
  const further = (median(fifty) - median(one)) / (many - 1);
  return [
    {
      what: '100 000 keys, one changed: put, feed, snapshot, diff()',
      values: one,
      unit: 'µs',
      limit: atMost(20, 8),
      detail: `CPU; ${shown(median(unwatched))} µs of it for a put that nobody watches`,
    },
    {
      what: '100 000 keys to 1000 keys',
      values: ratios(one, smallOne),
      unit: 'x',
      limit: atMost(2),
      detail: `1000 keys: ${shown(median(smallOne))} µs`,
    },
    {
      what: `the same with ${many} subscribers, each with its diff()`,
      values: fifty,
      unit: 'µs',
      detail: `each further: ${shown(further)} µs`,
    },
  ];
}

async function treeOf(store: Store, size: number): Promise<Tree> {
  const keys = keysOf(size);
  await Promise.all(keys.map((key, i) => store.put(key, valueOf(i))));
  let turn = 0;
  const change = async (values: readonly Uint8Array[]): Promise<void> => {
    for (const value of values) await store.put(pick(keys, ++turn), value);
  };
  return { store, change };
}

let written = 0;

/** Values that are no key's yet. */
function values(): Uint8Array[] {
  return Array.from({ length: changes }, () => valueOf(--written));
}

/** µs of CPU time of this process for one change. */
async function costOf({ store, change }: Tree, subscribers: number): Promise<number> {
  let seen = 0;
  const watching = new Subscription();
  for (let i = 0; i < subscribers; i++) {
    const news$ = store.watchTree$('services').pipe(diff({ initial: 'skip' }));
    watching.add(news$.subscribe(() => seen++));
  }
  // What the first state leaves to be collected is no cost of a change: it is gone after as many that do not count.
  await change(values());
  seen = 0;
  const prepared = values();
  const before = process.cpuUsage();
  await change(prepared);
  const { user, system } = process.cpuUsage(before);
  watching.unsubscribe();
  if (seen !== changes * subscribers) throw new Error(`${seen} events in place of ${changes * subscribers}`);
  return (user + system) / changes;
}

/** What those share who come to one directory: the feed, and the first diff. */
async function firstDiffs(): Promise<Row[]> {
  const driver = memory();
  let feeds = 0;
  const counted: Driver = Object.assign(Object.create(driver) as Driver, {
    feed$: (...asked: Parameters<Driver['feed$']>) => {
      feeds++;
      // The driver's state is counted's own by then.
      return driver.feed$.apply(counted, asked);
    },
  });
  const { store } = await treeOf(createStore(counted), 100_000);
  const alone = await firstDiffOf(store, 1);
  feeds = 0;
  const together = await firstDiffOf(store, many);
  await store.close();
  return [
    { what: `feeds for ${many} subscribers of one directory`, values: [feeds], unit: '', limit: atMost(1) },
    { what: `first diffs computed for ${many} subscribers`, values: [together.answers], unit: '', limit: atMost(1) },
    { what: `first diff of 100 000 keys, ${many} subscribers`, values: [together.ms], unit: 'ms', detail: `one: ${shown(alone.ms)} ms` },
  ];
}

/** How many different answers the subscribers got, and after how long the last one had it. */
async function firstDiffOf(store: Store, subscribers: number): Promise<{ answers: number; ms: number }> {
  const began = performance.now();
  const firsts$ = Array.from({ length: subscribers }, () => store.watchTree$('services').pipe(deltas()));
  const firsts = await firstValueFrom(merge(...firsts$).pipe(take(subscribers), bufferCount(subscribers)));
  return { answers: new Set(firsts.map(first => first.changes)).size, ms: performance.now() - began };
}
