/** Reads of keys: those that come while one is under way in one request, which sees them all at one moment. */
import { setImmediate as turn } from 'node:timers/promises';
import { type Coalescer, coalesce } from '../../coalesce.js';
import type { Entry } from '../../entry.js';
import type { Get } from '../../networked.js';
import { answersTo } from '../../running.js';
import type { Argument, Client, Reply } from './client.js';
import { entryOf, noKey, noString } from './codec.js';
import { backend, translated } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { get, read } from './scripts.js';
import type { Servers } from './servers.js';

/** An entry, and how long it has left. */
export interface Found {
  readonly entry: Entry;
  /** `performance.now()` of its end; Infinity where it has none. */
  readonly until: number;
}

export interface Reading {
  /** The server's clock in µs; of one key alone, its own. */
  readonly revision: bigint;
  /** In the order of asking; undefined where there is no such key, or it holds no string. */
  readonly found: readonly (Found | undefined)[];
}

/** Keys in one request. */
const most = 200;

/** Two batches may be under way, so that neither we nor the server wait for each other: reads have no order. */
export function createGets(servers: Servers, keyspace: Keyspace): (one: Get) => Promise<Reading> {
  const lane = (): Coalescer<Get, Reading> =>
    coalesce<Get, Reading>({
      run: gets => answersTo(gets, backend, waiting => ask(servers, keyspace, waiting)),
      alone: one => alone(servers, keyspace, one),
      most,
      turn,
    });
  const [first, second] = [lane(), lane()];
  let turns = 0;
  return one => (first.busy() && turns++ % 2 === 0 ? second(one) : first(one));
}

function alone(servers: Servers, keyspace: Keyspace, { key, values, timeout }: Get): Promise<Reading> {
  if (!values) return readAll({ servers, keyspace, keys: [key], wanted: 0, timeout, timed: true });
  const pair = keyspace.pair(key);
  return servers.call(pair[0], { send: client => client.run(get, pair, []), repeatable: true, timeout, timed: true }).then(reply => {
    const [value, meta, left] = reply as readonly [Buffer | null, Buffer | null, number];
    const found = foundOf(keyspace, key, { value, meta, left: value === null && left !== noKey ? noString : left }, performance.now());
    return { revision: found?.entry.revision ?? 0n, found: [found] };
  });
}

async function ask(servers: Servers, keyspace: Keyspace, gets: readonly Get[]): Promise<(Reading | Error)[]> {
  const [first] = gets as readonly [Get];
  if (gets.length === 1) return [await alone(servers, keyspace, first)];
  if (!keyspace.oneSlot) return singly(servers, keyspace, gets);
  const ordered = gets.every(({ values }) => values) ? gets : [...gets].sort((a, b) => Number(b.values) - Number(a.values));
  const timeout = Math.max(...gets.map(get => get.timeout));
  const keys = ordered.map(({ key }) => key);
  const wanted = ordered.filter(({ values }) => values).length;
  try {
    const { revision, found } = await readAll({ servers, keyspace, keys, wanted, timeout, timed: true });
    if (ordered === gets) return found.map(each => ({ revision, found: [each] }));
    const answers = new Map(ordered.map((get, i) => [get, found[i]]));
    return gets.map(get => ({ revision, found: [answers.get(get)] }));
  } catch (error) {
    const { code, transient } = translated(error);
    if (transient || code === 'closed' || code === 'unsupported') throw error;
    // One of them is refused, and the others are not to suffer for it.
    return singly(servers, keyspace, gets);
  }
}

function singly(servers: Servers, keyspace: Keyspace, gets: readonly Get[]): Promise<(Reading | Error)[]> {
  return Promise.all(gets.map(async one => alone(servers, keyspace, one).catch((reason: unknown) => translated(reason))));
}

export interface ReadOptions {
  readonly servers: Servers;
  readonly keyspace: Keyspace;
  /** Relative to the root; all in one slot. */
  readonly keys: readonly string[];
  /** How many of them, the first ones, are wanted with their values; all by default. */
  readonly wanted?: number;
  /** Whether what is found is to be in the index, whoever wrote it. */
  readonly indexing?: boolean;
  /** ms */
  readonly timeout: number;
  /** As of a {@link Request}. */
  readonly timed?: boolean;
}

/** Keys as they are at one moment. @throws KvError */
export async function readAll(options: ReadOptions): Promise<Reading> {
  const { servers, keyspace, keys, wanted = keys.length, indexing = false, timeout, timed = false } = options;
  const pairs: string[] = [];
  // No spreading and no taking apart by iterators here: a batch does this for each key, and it shows.
  for (const key of keys) {
    const pair = keyspace.pair(key);
    pairs.push(pair[0], pair[1]);
  }
  const args: Argument[] = [keys.length, wanted];
  const [name = ''] = pairs;
  if (indexing) {
    pairs.push(keyspace.index);
    args.push(keyspace.root);
  }
  const send = (client: Client): Promise<Reply> => client.run(read, pairs, args);
  const reply = (await servers.call(name, { send, repeatable: true, timeout, timed })) as readonly Reply[];
  const now = performance.now();
  const count = keys.length;
  const found = keys.map((key, i) => {
    const value = reply[i * 2] as Buffer | null;
    const meta = reply[i * 2 + 1] as Buffer | null;
    return foundOf(keyspace, key, { value, meta, left: reply[count * 2 + i] as number }, now);
  });
  return { revision: BigInt(String(reply[count * 3])), found };
}

/** What a script says of a key. */
export interface Told {
  readonly value: Buffer | null;
  readonly meta: Buffer | null;
  /** PTTL, or what stands for it */
  readonly left: number;
}

export function foundOf(keyspace: Keyspace, key: string, { value, meta, left }: Told, now: number): Found | undefined {
  if (left === noString) keyspace.note(keyspace.name(key));
  if (value === null) return undefined;
  return { entry: entryOf(key, value, meta, left), until: left < 0 ? Infinity : now + left };
}
