/** Reads of keys: those that come while one is under way in one request, which sees them all at one moment. */
import { type Coalescer, coalesce } from '../../coalesce.js';
import type { Entry } from '../../entry.js';
import type { Abandonable } from '../../running.js';
import type { Argument, Reply } from './client.js';
import { entryOf, noString } from './codec.js';
import { translated } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { read } from './scripts.js';
import type { Servers } from './servers.js';

export interface Get extends Abandonable {
  /** Relative to the root. */
  readonly key: string;
  readonly values: boolean;
  /** ms */
  readonly timeout: number;
}

/** An entry, and how long it has left. */
export interface Found {
  readonly entry: Entry;
  /** `performance.now()` of its end; Infinity where it has none. */
  readonly until: number;
}

export interface Reading {
  /** The server's clock in µs. */
  readonly revision: bigint;
  /** In the order of asking; undefined where there is no such key, or it holds no string. */
  readonly found: readonly (Found | undefined)[];
}

/** Keys in one request. */
const most = 200;

export function createGets(servers: Servers, keyspace: Keyspace): Coalescer<Get, Reading> {
  return coalesce<Get, Reading>({ run: gets => run(servers, keyspace, gets), most });
}

async function run(servers: Servers, keyspace: Keyspace, gets: readonly Get[]): Promise<(Reading | Error)[]> {
  const wanted = gets.filter(get => !get.abandoned);
  const answers = await ask(servers, keyspace, wanted);
  let next = 0;
  // Those that were given up have been told so already.
  return gets.map(get => (get === wanted[next] ? (answers[next++] as Reading | Error) : new Error('given up')));
}

async function ask(servers: Servers, keyspace: Keyspace, gets: readonly Get[]): Promise<(Reading | Error)[]> {
  const [first] = gets;
  if (first === undefined) return [];
  if (!keyspace.oneSlot && gets.length > 1) return singly(servers, keyspace, gets);
  const ordered = gets.length === 1 ? gets : [...gets].sort((a, b) => Number(b.values) - Number(a.values));
  const timeout = Math.max(...gets.map(get => get.timeout));
  const keys = ordered.map(({ key }) => key);
  const wanted = ordered.filter(({ values }) => values).length;
  try {
    const { revision, found } = await readAll({ servers, keyspace, keys, wanted, timeout });
    const answers = new Map(ordered.map((get, i) => [get, found[i]]));
    return gets.map(get => ({ revision, found: [answers.get(get)] }));
  } catch (error) {
    const { code, transient } = translated(error);
    if (gets.length === 1 || transient || code === 'closed' || code === 'unsupported') throw error;
    // One of them is refused, and the others are not to suffer for it.
    return singly(servers, keyspace, gets);
  }
}

function singly(servers: Servers, keyspace: Keyspace, gets: readonly Get[]): Promise<(Reading | Error)[]> {
  return Promise.all(
    gets.map(async get =>
      ask(servers, keyspace, [get]).then(
        ([answer]) => answer as Reading,
        (reason: unknown) => translated(reason),
      ),
    ),
  );
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
}

/** Keys as they are at one moment. @throws KvError */
export async function readAll({ servers, keyspace, keys, wanted = keys.length, indexing = false, timeout }: ReadOptions): Promise<Reading> {
  const pairs: string[] = [];
  for (const key of keys) pairs.push(...keyspace.pair(key));
  const args: Argument[] = [keys.length, wanted];
  const [name = ''] = pairs;
  if (indexing) {
    pairs.push(keyspace.index);
    args.push(keyspace.root);
  }
  const reply = await servers.call(name, { send: client => client.run(read, pairs, args), repeatable: true, timeout });
  const [clock, ...rest] = reply as readonly Reply[];
  const now = performance.now();
  return { revision: BigInt(String(clock)), found: keys.map((key, i) => foundOf(keyspace, key, rest, i * 3, now)) };
}

/** What a script says of a key: its value, companion and PTTL from there on. */
export function foundOf(keyspace: Keyspace, key: string, reply: readonly Reply[], at: number, now: number): Found | undefined {
  const value = reply[at] as Buffer | null;
  const left = reply[at + 2] as number;
  if (left === noString) keyspace.note(keyspace.name(key));
  if (value === null) return undefined;
  return { entry: entryOf(key, value, reply[at + 1] as Buffer | null, left), until: left < 0 ? Infinity : now + left };
}
