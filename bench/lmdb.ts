/** The LMDB bench: rxkv over the package lmdb, against that package alone. */
import { join } from 'node:path';
import { type Database, open } from 'lmdb';
import { createStore, type Store } from 'rxkv';
import { lmdb } from 'rxkv/lmdb';
import { contest, inFlight, inSequence } from './contest.js';
import { inFolder } from './folder.js';
import { keysOf, pick, valueOf } from './keys.js';
import { acrossProcesses, inOneProcess, type Latencies } from './latency.js';
import { atLeast, atMost, type Limit, median, type Row, ratios } from './row.js';
import { shown } from './table.js';

const treeSize = 100_000;
const rounds = 7;
const reads = 20_000;

/** Both sides, each with the same keys in a folder of its own. */
interface Sides {
  readonly raw: Database<Uint8Array, string>;
  readonly store: Store;
  readonly path: string;
  readonly keys: readonly string[];
}

export function lmdbBench(): Promise<Row[]> {
  return inFolder(async folder => {
    const sides = await openSides(folder);
    try {
      return [...(await rates(sides)), ...(await latencies(sides))];
    } finally {
      await Promise.all([sides.store.close(), sides.raw.close()]);
    }
  });
}

async function openSides(folder: string): Promise<Sides> {
  const keys = keysOf(treeSize);
  const path = join(folder, 'rxkv');
  const store = createStore(lmdb({ path }));
  const raw = open<Uint8Array, string>({ path: join(folder, 'raw'), noSubdir: false, encoding: 'binary' });
  await Promise.all(keys.map((key, i) => store.put(key, valueOf(i))));
  await Promise.all(keys.map((key, i) => raw.put(key, valueOf(i))));
  return { raw, store, path, keys };
}

async function rates({ raw, store, keys }: Sides): Promise<Row[]> {
  const puts = (order: (turn: number) => string): { raw: () => Promise<unknown>; rxkv: () => Promise<unknown> } => {
    let turn = 0;
    return {
      raw: () => raw.put(order(++turn), valueOf(turn)),
      rxkv: () => store.put(order(++turn), valueOf(turn)),
    };
  };
  // Neighbours share their pages, so the disk has little to do and the processor decides; strewn keys are the other way around.
  const near = puts(turn => keys[turn % keys.length] as string);
  const strewn = puts(turn => pick(keys, turn));
  const each = await contest({ raw: inSequence(25, strewn.raw), rxkv: inSequence(25, strewn.rxkv) }, { rounds, pieces: 20 });
  const flying = await contest({ raw: inFlight(1000, 10, near.raw), rxkv: inFlight(1000, 10, near.rxkv) }, { rounds, pieces: 3 });
  const wide = await contest({ raw: inFlight(1000, 5, strewn.raw), rxkv: inFlight(1000, 5, strewn.rxkv) }, { rounds, pieces: 2 });
  const get = await contest(
    {
      // It answers at once, so to await it would only make it slower.
      raw: () => {
        for (let i = 0; i < reads; i++) raw.getBinary(pick(keys, i));
        return reads;
      },
      rxkv: inSequence(reads, i => store.get(pick(keys, i))),
    },
    { rounds, pieces: 3 },
  );
  return [
    rate('put, each awaited', each, atLeast(0.9)),
    rate('put, 1000 in flight, neighbouring keys', flying, atLeast(0.3, 0.5)),
    rate('put, 1000 in flight, strewn keys', wide, atLeast(0.3, 0.5)),
    rate('get, each awaited', get, atLeast(0.35, 0.6)),
  ];
}

function rate(what: string, { raw, rxkv }: Record<'raw' | 'rxkv', number[]>, limit: Limit): Row {
  const detail = `rxkv ${shown(median(rxkv))}/s, raw ${shown(median(raw))}/s`;
  return { what, values: ratios(rxkv, raw), unit: 'x', detail, limit };
}

async function latencies({ raw, store, path, keys }: Sides): Promise<Row[]> {
  const sides = { store, commit: (key: string, value: Uint8Array) => raw.put(key, value), keys, rounds };
  const here = await inOneProcess(sides);
  const there = await acrossProcesses({ ...sides, path });
  return [latency('put to event, same process, p50', here, atMost(2)), latency('put to event, another process, p50', there, atMost(5))];
}

function latency(what: string, { commit, event }: Latencies, limit: Limit): Row {
  const detail = `rxkv ${shown(median(event))} ms, raw commit ${shown(median(commit))} ms`;
  return { what, values: ratios(event, commit), unit: 'x', detail, limit };
}
