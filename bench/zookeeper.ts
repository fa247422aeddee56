/** The ZooKeeper bench: rxkv over node-zookeeper-client, against that package alone. */
import type { Observable } from 'rxjs';
import { createStore, deltas, type Store } from 'rxkv';
import { zookeeper } from 'rxkv/zookeeper';
import { byWorkers, contest, inSequence } from './contest.js';
import { Bell, eventLatencies, type Watcher } from './event.js';
import { keysOf, pick, valueOf } from './keys.js';
import { atLeast, atMost, type Limit, median, type Row, ratios } from './row.js';
import { serverHost } from './server.js';
import { shown } from './table.js';

const rounds = 7;
const workers = 64;
const treeSize = 10_000;
const largeSize = 100_000;

type Told<T> = (error: Error | null, result: T) => void;

/** What we call of the package, which has no types. */
interface Client {
  connect(): void;
  close(): void;
  once(event: 'connected', listener: () => void): void;
  getData(path: string, watcher: (() => void) | Told<Buffer>, told?: Told<Buffer>): void;
  setData(path: string, data: Buffer, told: Told<unknown>): void;
  getChildren(path: string, told: Told<string[]>): void;
  create(path: string, data: Buffer, told: Told<string>): void;
}

/** The package's client with promises around it. */
interface Raw {
  readonly client: Client;
  readonly get: (path: string) => Promise<Buffer>;
  readonly set: (path: string, value: Uint8Array) => Promise<unknown>;
  readonly children: (path: string) => Promise<string[]>;
}

export async function zookeeperBench(): Promise<Row[]> {
  const hosts = serverHost('zookeeper');
  const raw = await openRaw(hosts);
  const store = createStore(zookeeper({ hosts, root: 'rxkv' }));
  try {
    return [...(await rates(raw, store)), ...(await snapshots(hosts, raw)), ...(await latencies(raw, store))];
  } finally {
    await store.close();
    raw.client.close();
  }
}

async function openRaw(hosts: string): Promise<Raw> {
  const { default: stock } = (await import('node-zookeeper-client' as string)) as {
    default: { createClient(hosts: string, options: object): Client };
  };
  const client = stock.createClient(hosts, { sessionTimeout: 30_000 });
  const connected = new Promise<void>(resolve => client.once('connected', resolve));
  client.connect();
  await connected;
  const promised = <T>(call: (told: Told<T>) => void): Promise<T> =>
    new Promise((resolve, reject) => {
      call((error, result) => (error === null || error === undefined ? resolve(result) : reject(error)));
    });
  return {
    client,
    get: path => promised<Buffer>(told => client.getData(path, told)),
    set: (path, value) => promised(told => client.setData(path, Buffer.from(value), told)),
    children: path => promised<string[]>(told => client.getChildren(path, told)),
  };
}

async function rates(raw: Raw, store: Store): Promise<Row[]> {
  // Both sides read and write the same nodes.
  const keys = keysOf(treeSize).map(key => `bench/${key}`);
  await byWorkers(4000, keys.length, i => store.put(keys[i] as string, valueOf(i)))();
  const paths = new Map(keys.map(key => [key, `/rxkv/${key}`]));
  const path = (key: string): string => paths.get(key) as string;
  let turn = 0;
  const next = (): string => pick(keys, ++turn);
  const stale = { consistency: 'stale' } as const;
  const get = { raw: () => raw.get(path(next())), rxkv: () => store.get(next()) };
  const near = { raw: get.raw, rxkv: () => store.get(next(), stale) };
  const set = { raw: () => raw.set(path(next()), valueOf(turn)), rxkv: () => store.put(next(), valueOf(turn)) };
  type Sides = Record<'raw' | 'rxkv', () => Promise<unknown>>;
  const lone = ({ raw: theirs, rxkv: ours }: Sides): Promise<Record<'raw' | 'rxkv', number[]>> =>
    contest({ raw: inSequence(300, theirs), rxkv: inSequence(300, ours) }, { rounds, pieces: 4 });
  const wide = ({ raw: theirs, rxkv: ours }: Sides): Promise<Record<'raw' | 'rxkv', number[]>> =>
    contest({ raw: byWorkers(workers, 2000, theirs), rxkv: byWorkers(workers, 2000, ours) }, { rounds, pieces: 3 });
  return [
    rate('get, stale, one caller', await lone(near), atLeast(0.9)),
    rate('get, strong, one caller', await lone(get), atLeast(0.6)),
    rate('set, one caller', await lone(set), atLeast(0.9)),
    rate(`get, strong, ${workers} callers`, await wide(get), atLeast(1)),
    rate(`set, ${workers} callers`, await wide(set), atLeast(2, 4)),
  ];
}

function rate(what: string, { raw, rxkv }: Record<'raw' | 'rxkv', number[]>, limit: Limit): Row {
  const detail = `rxkv ${shown(median(rxkv))}/s, node-zookeeper-client ${shown(median(raw))}/s`;
  return { what, values: ratios(rxkv, raw), unit: 'x', detail, limit };
}

/** All keys of a tree: ours as the first snapshot of a watch and as a list, theirs by getChildren and getData, all at once. */
async function snapshots(hosts: string, raw: Raw): Promise<Row[]> {
  const times = { raw: [] as number[], list: [] as number[] };
  const read = async (path: string): Promise<number> => {
    const [names] = await Promise.all([raw.children(path), raw.get(path)]);
    const below = await Promise.all(names.map(name => read(`${path}/${name}`)));
    return below.reduce((sum, count) => sum + count, 1);
  };
  const store = createStore(zookeeper({ hosts, root: 'rxkv' }));
  await store.ready();
  for (let round = 0; round <= rounds; round++) {
    let began = performance.now();
    await read('/rxkv/bench');
    const theirs = performance.now() - began;
    began = performance.now();
    const { size } = await store.list('bench');
    const ours = performance.now() - began;
    if (size !== treeSize) throw new Error(`a snapshot of ${size} keys`);
    if (round === 0) continue;
    times.raw.push(theirs);
    times.list.push(ours);
  }
  await store.close();
  return [latency('a snapshot of 10 000 keys', times.list, times.raw, 'node-zookeeper-client', atMost(0.4))];
}

/** From the start of a set to the event, of a key and of large trees; the same raw client sets for all. */
async function latencies(raw: Raw, store: Store): Promise<Row[]> {
  await store.put('watched', 'x');
  const theirs = rawWatcher(raw, '/rxkv/watched');
  const set = (path: string, turn: number): Promise<unknown> => raw.set(path, valueOf(turn));
  const small = await tree(store, 'small', treeSize);
  const one = await eventLatencies({ raw: theirs.watcher, rxkv: small.watcher }, set, rounds);
  const large = await tree(store, 'large', largeSize);
  const trees = await eventLatencies({ small: small.watcher, large: large.watcher }, set, rounds);
  for (const { end } of [theirs, small, large]) end();
  return [
    latency('set to diff() event, 10 000 keys, p50', one.rxkv, one.raw, 'one-shot watch and its re-read', atMost(3)),
    latency('set to diff() event, 100 000 keys, p50', trees.large, trees.small, '10 000 keys', atMost(2)),
  ];
}

interface Watching {
  readonly watcher: Watcher;
  readonly end: () => void;
}

/** The value in hand: the event, and the read that sets the next watch. */
function rawWatcher({ client }: Raw, path: string): Watching {
  const { ring, next } = new Bell();
  let ended = false;
  const read = (first: boolean): void => {
    client.getData(
      path,
      () => read(false),
      () => {
        if (!first && !ended) ring();
      },
    );
  };
  read(true);
  return { watcher: { key: () => path, next }, end: () => (ended = true) };
}

async function tree(store: Store, directory: string, size: number): Promise<Watching> {
  const keys = keysOf(size).map(key => `${directory}/${key}`);
  await byWorkers(4000, size, i => store.put(keys[i] as string, valueOf(i)))();
  const { ring, next } = new Bell();
  const current = next();
  // The first batch says that all of it has come; what diff() makes of the next ones is flattened from the same.
  const changes$: Observable<unknown> = store.watchTree$(directory).pipe(deltas());
  const subscription = changes$.subscribe(ring);
  await current;
  return { watcher: { key: turn => `/rxkv/${pick(keys, turn)}`, next }, end: () => subscription.unsubscribe() };
}

function latency(what: string, ours: readonly number[], theirs: readonly number[], name: string, limit: Limit): Row {
  const detail = `${shown(median(ours))} ms, ${name} ${shown(median(theirs))} ms`;
  return { what, values: ratios(ours, theirs), unit: 'x', detail, limit };
}
