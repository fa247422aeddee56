/** The etcd bench: rxkv over etcd3, against etcd3 alone with its fault policies switched off, which slow it down. */
import { Etcd3 } from 'etcd3';
import type { Observable } from 'rxjs';
import { createStore, deltas, type Store } from 'rxkv';
import { etcd } from 'rxkv/etcd';
import { byWorkers, contest, inSequence } from './contest.js';
import { Bell, eventLatencies, type Watcher } from './event.js';
import { keysOf, pick, valueOf } from './keys.js';
import { atLeast, atMost, type Limit, median, type Row, ratios } from './row.js';
import { serverHost } from './server.js';
import { shown } from './table.js';

const rounds = 7;
const workers = 64;
const watchCount = 1000;

/** Does what it is given, once. */
const noPolicy = { execute: async <T>(call: (context: object) => T | Promise<T>): Promise<T> => call({}) };

export async function etcdBench(): Promise<Row[]> {
  const hosts = serverHost('etcd');
  const raw = openRaw(hosts);
  const store = createStore(etcd({ hosts, root: 'rxkv' }));
  try {
    return [...(await rates(raw, store)), ...(await latencies(raw, store)), ...(await manyWatches(hosts))];
  } finally {
    await store.close();
    raw.close();
  }
}

function openRaw(hosts: string): Etcd3 {
  // The type is cockatiel's, which has far more than is called.
  return new Etcd3({ hosts, faultHandling: { host: () => noPolicy as never, global: noPolicy as never } });
}

async function rates(raw: Etcd3, store: Store): Promise<Row[]> {
  const keys = keysOf(10_000);
  const write = async (put: (key: string, i: number) => PromiseLike<unknown>): Promise<unknown> =>
    byWorkers(workers, keys.length, i => put(keys[i] as string, i))();
  await write((key, i) =>
    raw
      .put(`raw/${key}`)
      .value(Buffer.from(valueOf(i)))
      .exec(),
  );
  await write((key, i) => store.put(key, valueOf(i)));
  let turn = 0;
  const next = (): string => pick(keys, ++turn);
  const sides = {
    get: { raw: () => raw.get(`raw/${next()}`).buffer(), rxkv: () => store.get(next()) },
    put: {
      raw: () =>
        raw
          .put(`raw/${next()}`)
          .value(Buffer.from(valueOf(turn)))
          .exec(),
      rxkv: () => store.put(next(), valueOf(turn)),
    },
  };
  const rows: Row[] = [];
  for (const [name, { raw: theirs, rxkv: ours }] of Object.entries(sides)) {
    const [few, many] = [name === 'get' ? atLeast(2, 5) : atLeast(3, 8), atLeast(0.9)];
    const wide = await contest({ raw: byWorkers(workers, 2000, theirs), rxkv: byWorkers(workers, 2000, ours) }, { rounds, pieces: 4 });
    const lone = await contest({ raw: inSequence(400, theirs), rxkv: inSequence(400, ours) }, { rounds, pieces: 4 });
    rows.push(rate(`${name}, ${workers} callers`, wide, few), rate(`${name}, one caller`, lone, many));
  }
  return rows;
}

function rate(what: string, { raw, rxkv }: Record<'raw' | 'rxkv', number[]>, limit: Limit): Row {
  const detail = `rxkv ${shown(median(rxkv))}/s, etcd3 ${shown(median(raw))}/s`;
  return { what, values: ratios(rxkv, raw), unit: 'x', detail, limit };
}

/** From the start of a put to the event, of a key and of large trees; the same raw client puts for all. */
async function latencies(raw: Etcd3, store: Store): Promise<Row[]> {
  const put = (key: string, turn: number): PromiseLike<unknown> =>
    raw
      .put(key)
      .value(Buffer.from(valueOf(turn)))
      .exec();
  const theirs = await rawWatcher(raw, 'raw-watched');
  const ours = await watcher(store.watch$('watched'), () => 'rxkv/watched');
  const key = await eventLatencies({ raw: theirs.watcher, rxkv: ours.watcher }, put, rounds);
  const small = await tree(store, 'small', 10_000);
  const large = await tree(store, 'large', 100_000);
  const trees = await eventLatencies({ key: ours.watcher, small: small.watcher, large: large.watcher }, put, rounds);
  for (const { end } of [theirs, ours, small, large]) end();
  return [
    latency('put to event, one key, p50', key.rxkv, key.raw, 'raw stream', atMost(1.2)),
    latency('put to diff() event, 10 000 keys, p50', trees.small, trees.key, 'one key', atMost(1.5)),
    latency('put to diff() event, 100 000 keys, p50', trees.large, trees.small, '10 000 keys', atMost(1.5)),
  ];
}

interface Watching {
  readonly watcher: Watcher;
  readonly end: () => void;
}

async function rawWatcher(raw: Etcd3, key: string): Promise<Watching> {
  const { ring, next } = new Bell();
  const stream = await raw.watchClient.watch();
  stream.on('error', () => {});
  await new Promise<void>(created => {
    stream.on('data', response => {
      if (response.created) created();
      else if (response.events.length > 0) ring();
    });
    stream.write({ create_request: { key: Buffer.from(key) } } as never);
  });
  return { watcher: { key: () => key, next }, end: () => stream.cancel() };
}

/** Watches, and resolves once it has the current state. */
async function watcher(source$: Observable<unknown>, key: Watcher['key']): Promise<Watching> {
  const { ring, next } = new Bell();
  const current = next();
  const subscription = source$.subscribe(ring);
  await current;
  return { watcher: { key, next }, end: () => subscription.unsubscribe() };
}

async function tree(store: Store, directory: string, size: number): Promise<Watching> {
  const keys = keysOf(size).map(key => `${directory}/${key}`);
  await byWorkers(4000, size, i => store.put(keys[i] as string, valueOf(i)))();
  // The first batch says that all of it has come; what diff() makes of the next ones is flattened from the same.
  const changes$ = store.watchTree$(directory).pipe(deltas());
  return watcher(changes$, turn => `rxkv/${pick(keys, turn)}`);
}

function latency(what: string, ours: readonly number[], theirs: readonly number[], name: string, limit?: Limit): Row {
  return {
    what,
    values: ratios(ours, theirs),
    unit: 'x',
    detail: `${shown(median(ours))} ms, ${name} ${shown(median(theirs))} ms`,
    ...(limit === undefined ? {} : { limit }),
  };
}

/**
 * Until a thousand watches of one connection are in place. Ours are ready with the current state of each, which the
 * server may be asked to watch from a moment later; once the last of them tells a put, it has been asked for all.
 */
async function manyWatches(hosts: string): Promise<Row[]> {
  const keys = keysOf(watchCount);
  const ready = { raw: [] as number[], rxkv: [] as number[] };
  for (let round = 0; round <= 5; round++) {
    const raw = openRaw(hosts);
    await raw.get('connects').buffer();
    let began = performance.now();
    const watchers = await Promise.all(keys.map(key => raw.watch().key(`raw/${key}`).create()));
    if (round > 0) ready.raw.push(performance.now() - began);
    await Promise.all(watchers.map(each => each.cancel()));
    raw.close();

    const store = createStore(etcd({ hosts, root: 'rxkv' }));
    await store.ready();
    began = performance.now();
    await Promise.all(keys.map(key => watcher(store.watch$(key), () => key)));
    if (round > 0) ready.rxkv.push(performance.now() - began);
    await store.close();
  }
  return [latency(`${watchCount} watches are ready`, ready.rxkv, ready.raw, 'etcd3', atMost(0.25))];
}
