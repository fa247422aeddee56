/** The Consul bench: rxkv over the package consul, against that package alone on sockets that are kept. */
import { EventEmitter } from 'node:events';
import Consul from 'consul';
import { firstValueFrom } from 'rxjs';
import { createStore, diff, type Store } from 'rxkv';
import { consul } from 'rxkv/consul';
import { clock } from './clock.js';
import { byWorkers, contest, inSequence } from './contest.js';
import { Bell, eventLatencies } from './event.js';
import { pick, valueOf } from './keys.js';
import { atLeast, atMost, type Limit, median, type Row, ratios } from './row.js';
import { serverHost } from './server.js';
import { shown } from './table.js';

const treeSize = 100_000;
const directories = 100;
const rounds = 7;
const changes = 3;

interface Sides {
  readonly raw: Consul;
  readonly store: Store;
  /** Where the keys of this run are. */
  readonly root: string;
}

export async function consulBench(): Promise<Row[]> {
  const host = serverHost('consul');
  const [name = '', port = '8500'] = host.split(':');
  const root = `bench-${Date.now()}`;
  // One socket for each caller and none beyond, which is the best that it can do.
  const raw = new Consul({ host: name, port: Number(port) });
  const sides: Sides = { raw, store: createStore(consul({ hosts: host, root })), root };
  try {
    return [...(await rates(sides)), await keyWatch(sides), await treeWatch(sides, 'nested'), await treeWatch(sides, 'flat')];
  } finally {
    await sides.store.deleteTree('');
    await sides.store.close();
    raw.destroy();
  }
}

async function rates({ raw, store, root }: Sides): Promise<Row[]> {
  const keys = Array.from({ length: 1000 }, (_, i) => `rates/${String(i).padStart(4, '0')}`);
  await Promise.all(keys.map(async (key, i) => store.put(key, valueOf(i))));
  let turn = 0;
  const put = {
    raw: async () => raw.kv.set(`${root}/${pick(keys, ++turn)}`, Buffer.from(valueOf(turn))),
    rxkv: async () => store.put(pick(keys, ++turn), valueOf(turn)),
  };
  // Of the same consistency as ours.
  const get = {
    raw: async (i: number) => raw.kv.get({ key: `${root}/${pick(keys, i)}`, consistent: true } as never),
    rxkv: async (i: number) => store.get(pick(keys, i)),
  };
  const puts64 = await contest({ raw: byWorkers(64, 640, put.raw), rxkv: byWorkers(64, 640, put.rxkv) }, { rounds });
  const gets64 = await contest({ raw: byWorkers(64, 1280, get.raw), rxkv: byWorkers(64, 1280, get.rxkv) }, { rounds });
  // Many short pieces: a sync of the disk now and then takes longer than a whole one.
  const puts1 = await contest({ raw: inSequence(20, put.raw), rxkv: inSequence(20, put.rxkv) }, { rounds, pieces: 20 });
  const gets1 = await contest({ raw: inSequence(100, get.raw), rxkv: inSequence(100, get.rxkv) }, { rounds, pieces: 20 });
  return [
    rate('put, 64 callers', puts64, atLeast(2.5, 5)),
    rate('get, 64 callers', gets64, atLeast(2.5, 5)),
    rate('put, one caller', puts1, atLeast(0.9)),
    rate('get, one caller', gets1, atLeast(0.9)),
  ];
}

/** From a put of the raw client to the event, turn by turn with a raw query that blocks on another key. */
async function keyWatch({ raw, store, root }: Sides): Promise<Row> {
  const [theirs, ours] = [`${root}/watched/raw`, `${root}/watched/rxkv`];
  for (const key of [theirs, ours]) await raw.kv.set(key, 'first');
  const [events, answers] = [new Bell(), new Bell()];
  const watching = store.watch$('watched/rxkv').subscribe(events.ring);
  let going = true;
  const blocking = (async (): Promise<void> => {
    for (let index = '0'; going; ) {
      // The only way to the index of an answer.
      const ctx = Object.assign(new EventEmitter(), { includeResponse: true });
      const asked = { key: theirs, index, wait: '5s', ctx };
      // Its types leave out what a query that blocks needs.
      const [response] = (await raw.kv.get(asked as never)) as unknown as [{ headers: Record<string, string> }];
      index = response.headers['x-consul-index'] as string;
      answers.ring();
    }
  })();
  await Promise.all([events.next(), answers.next()]);
  const watchers = {
    raw: { key: () => theirs, next: answers.next },
    rxkv: { key: () => ours, next: events.next },
  };
  const p50s = await eventLatencies(watchers, async (key, turn) => raw.kv.set(key, String(turn)), rounds);
  going = false;
  watching.unsubscribe();
  await raw.kv.set(theirs, 'last');
  await blocking;
  return latency('key watch, put to event, p50', p50s.rxkv, p50s.raw, 'a raw query that blocks', atMost(1.3));
}

/** From a put of the raw client to the event of a large tree, beside what the raw client takes to read and decode it. */
async function treeWatch({ raw, store, root }: Sides, shape: 'nested' | 'flat'): Promise<Row> {
  const keys = Array.from({ length: treeSize }, (_, i) => {
    const name = `instance-${String(i).padStart(6, '0')}`;
    return shape === 'flat' ? `flat/${name}` : `nested/${String(i % directories).padStart(2, '0')}/${name}`;
  });
  for (let at = 0; at < keys.length; at += 4000) {
    await Promise.all(keys.slice(at, at + 4000).map(async (key, i) => store.put(key, valueOf(at + i))));
  }
  const events = new Bell();
  const tree$ = store.watchTree$(shape);
  const watching = tree$.pipe(diff({ initial: 'skip' })).subscribe(events.ring);
  await firstValueFrom(tree$);
  const taken = { raw: [] as number[], rxkv: [] as number[] };
  for (let round = 0; round <= rounds; round++) {
    const ms = { raw: [] as number[], rxkv: [] as number[] };
    for (let i = 0; i < changes; i++) {
      let began = clock();
      await raw.kv.get({ key: `${root}/${shape}/`, recurse: true });
      ms.raw.push(clock() - began);
      const met = events.next();
      began = clock();
      await raw.kv.set(`${root}/${pick(keys, round * changes + i)}`, String(clock()));
      await met;
      ms.rxkv.push(clock() - began);
    }
    if (round === 0) continue;
    taken.raw.push(median(ms.raw));
    taken.rxkv.push(median(ms.rxkv));
  }
  watching.unsubscribe();
  const limit = shape === 'nested' ? atMost(0.5) : atMost(1.2);
  const layout = shape === 'nested' ? '100 x 1000 keys' : '100 000 keys in one directory';
  return latency(`${layout}, put to diff() event`, taken.rxkv, taken.raw, 'raw recurse and decode', limit);
}

function rate(what: string, { raw, rxkv }: Record<'raw' | 'rxkv', number[]>, limit: Limit): Row {
  const detail = `rxkv ${shown(median(rxkv))}/s, raw ${shown(median(raw))}/s`;
  return { what, values: ratios(rxkv, raw), unit: 'x', detail, limit };
}

function latency(what: string, ours: number[], theirs: number[], than: string, limit: Limit): Row {
  const detail = `rxkv ${shown(median(ours))} ms, ${than} ${shown(median(theirs))} ms`;
  return { what, values: ratios(ours, theirs), unit: 'x', detail, limit };
}
