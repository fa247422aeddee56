/** The Redis bench: rxkv over ioredis, against ioredis alone. */
import { Redis } from 'ioredis';
import type { Observable } from 'rxjs';
import { createStore, deltas, type Store } from 'rxkv';
import { redis } from 'rxkv/redis';
import { byWorkers, contest, inSequence } from './contest.js';
import { Bell, eventLatencies, type Watcher } from './event.js';
import { keysOf, pick, valueOf } from './keys.js';
import { atLeast, atMost, type Limit, median, type Row, ratios } from './row.js';
import { serverHost } from './server.js';
import { shown } from './table.js';

const rounds = 7;
const workers = 64;
const channel = '__redis__:invalidate';

export async function redisBench(): Promise<Row[]> {
  const hosts = serverHost('redis');
  const raw = openRaw(hosts);
  const store = createStore(redis({ hosts, root: 'rxkv' }));
  try {
    return [...(await rates(raw, store)), ...(await latencies(hosts, raw, store)), await listing(hosts, raw)];
  } finally {
    await store.close();
    raw.disconnect();
  }
}

function openRaw(hosts: string): Redis {
  const [host = '', port] = hosts.split(':');
  return new Redis({ host, port: Number(port) });
}

async function rates(raw: Redis, store: Store): Promise<Row[]> {
  const keys = keysOf(10_000);
  await byWorkers(workers, keys.length, i => raw.set(`raw/${keys[i]}`, Buffer.from(valueOf(i))))();
  await byWorkers(workers, keys.length, i => store.put(keys[i] as string, valueOf(i)))();
  let turn = 0;
  const next = (): string => pick(keys, ++turn);
  const sides = {
    get: { raw: () => raw.getBuffer(`raw/${next()}`), rxkv: () => store.get(next()) },
    put: { raw: () => raw.set(`raw/${next()}`, Buffer.from(valueOf(turn))), rxkv: () => store.put(next(), valueOf(turn)) },
  };
  const limits = { get: [atLeast(0.8, 1.2), atLeast(0.7, 0.85)], put: [atLeast(0.5, 0.8), atLeast(0.5)] } as const;
  const rows: Row[] = [];
  for (const name of ['get', 'put'] as const) {
    const { raw: theirs, rxkv: ours } = sides[name];
    const [many, one] = limits[name];
    const wide = await contest({ raw: byWorkers(workers, 5000, theirs), rxkv: byWorkers(workers, 5000, ours) }, { rounds, pieces: 4 });
    const lone = await contest({ raw: inSequence(2000, theirs), rxkv: inSequence(2000, ours) }, { rounds, pieces: 4 });
    rows.push(rate(`${name}, ${workers} callers`, wide, many), rate(`${name}, one caller`, lone, one));
  }
  return rows;
}

function rate(what: string, { raw, rxkv }: Record<'raw' | 'rxkv', number[]>, limit: Limit): Row {
  const detail = `rxkv ${shown(median(rxkv))}/s, ioredis ${shown(median(raw))}/s`;
  return { what, values: ratios(rxkv, raw), unit: 'x', detail, limit };
}

/** From the start of a SET to the event, beside the server's notice with the read of the key; the same raw client writes for all. */
async function latencies(hosts: string, raw: Redis, store: Store): Promise<Row[]> {
  const set = (key: string, turn: number): Promise<unknown> => raw.set(key, Buffer.from(valueOf(turn)));
  const notices = await rawWatcher(hosts, raw, 'noticed/');
  const small = await tree(store, 'small', 10_000);
  const large = await tree(store, 'large', 100_000);
  const p50s = await eventLatencies({ raw: notices.watcher, small: small.watcher, large: large.watcher }, set, rounds);
  for (const { end } of [notices, small, large]) end();
  return [
    latency('SET to diff() event, 10 000 keys, p50', p50s.small, p50s.raw, 'notice and GET', atMost(3)),
    latency('SET to diff() event, 100 000 keys, p50', p50s.large, p50s.small, '10 000 keys', atMost(1.5)),
  ];
}

interface Watching {
  readonly watcher: Watcher;
  readonly end: () => void;
}

async function rawWatcher(hosts: string, raw: Redis, prefix: string): Promise<Watching> {
  const { ring, next } = new Bell();
  const [host = '', port] = hosts.split(':');
  const hub = new Redis({ host, port: Number(port), protocol: 2 } as never);
  const id = await hub.client('ID');
  await hub.client('TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', prefix);
  await hub.subscribe(channel);
  hub.on('messageBuffer', (_channel, keys) => {
    // Its type says one Buffer; what tracking sends is a list of them.
    const [key] = keys as unknown as Buffer[];
    if (key !== undefined) void raw.getBuffer(key).then(ring);
  });
  return { watcher: { key: turn => `${prefix}${turn % 1000}`, next }, end: () => hub.disconnect() };
}

async function tree(store: Store, directory: string, size: number): Promise<Watching> {
  const keys = keysOf(size).map(key => `${directory}/${key}`);
  await byWorkers(4000, size, i => store.put(keys[i] as string, valueOf(i)))();
  return watcher(store.watchTree$(directory).pipe(deltas()), turn => `rxkv/${pick(keys, turn)}`);
}

/** Watches, and resolves once it has the current state. */
async function watcher(source$: Observable<unknown>, key: Watcher['key']): Promise<Watching> {
  const { ring, next } = new Bell();
  const current = next();
  const subscription = source$.subscribe(ring);
  await current;
  return { watcher: { key, next }, end: () => subscription.unsubscribe() };
}

function latency(what: string, ours: readonly number[], theirs: readonly number[], name: string, limit: Limit): Row {
  const detail = `${shown(median(ours))} ms, ${name} ${shown(median(theirs))} ms`;
  return { what, values: ratios(ours, theirs), unit: 'x', detail, limit };
}

/** A directory of a thousand keys in a database of a million, with an index on both sides. */
async function listing(hosts: string, raw: Redis): Promise<Row> {
  const store = createStore(redis({ hosts, root: 'indexed', index: true }));
  await raw.eval("for i = 1, 1000000 do redis.call('SET', 'noise/' .. i, 'x') end", 0);
  const names = Array.from({ length: 1000 }, (_, i) => `dir/k${String(i).padStart(4, '0')}`);
  await Promise.all(names.map(async (name, i) => store.put(name, valueOf(i))));
  await raw.zadd('raw-index', ...names.flatMap(name => [0, `raw-${name}`]));
  await Promise.all(names.map(async (name, i) => raw.set(`raw-${name}`, Buffer.from(valueOf(i)))));
  const sides = {
    rxkv: inSequence(5, () => store.list('dir')),
    raw: inSequence(5, async () => raw.mgetBuffer(await raw.zrangebylex('raw-index', '[raw-dir/', '(raw-dir0'))),
  };
  const { raw: theirs, rxkv: ours } = await contest(sides, { rounds, pieces: 3 });
  await store.close();
  const detail = `rxkv ${shown(1000 / median(ours))} ms, ZRANGEBYLEX and MGET ${shown(1000 / median(theirs))} ms`;
  return { what: 'list of 1 000 keys among 1 000 000, with an index', values: ratios(theirs, ours), unit: 'x', detail, limit: atMost(4) };
}
