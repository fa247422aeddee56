/** The bench of embedded stores: rxkv over LMDB beside those that people would pick instead, durable writes alone. */
import { join } from 'node:path';
import { createStore } from 'rxkv';
import { lmdb } from 'rxkv/lmdb';
import { contest, inFlight, inSequence, type Piece } from './contest.js';
import { inFolder } from './folder.js';
import { keysOf, pick, valueOf } from './keys.js';
import { classicLevel, lmdbAlone, type Peer, sqlite } from './peers.js';
import { atLeast, median, type Row, ratios } from './row.js';
import { shown } from './table.js';

const keyCount = 10_000;
const width = 1000;

export function embeddedBench(): Promise<Row[]> {
  return inFolder(async folder => {
    const peers = [await opened(classicLevel, join(folder, 'level')), await opened(sqlite, join(folder, 'sqlite'))].filter(
      peer => peer !== undefined,
    );
    const ours = await rxkv(join(folder, 'rxkv'));
    const below = await lmdbAlone(join(folder, 'lmdb'));
    try {
      return await compared(ours, below, peers);
    } finally {
      for (const peer of [ours, below, ...peers]) await peer.close();
    }
  });
}

async function compared(ours: Peer, below: Peer, peers: readonly Peer[]): Promise<Row[]> {
  const keys = keysOf(keyCount);
  let turn = 0;
  const put = (peer: Peer) => (): PromiseLike<unknown> | undefined => peer.put(pick(keys, ++turn), valueOf(turn));
  const all = [ours, below, ...peers];
  const single = await contest(
    sides(all, peer => inSequence(25, put(peer))),
    { pieces: 8 },
  );
  const flying = await contest(sides(all, peer => inFlight(width, peer === ours || peer === below ? 10 : 1, put(peer))));
  return peers.flatMap(peer => [
    { ...row('put, each awaited', single, ours, peer), limit: atLeast(1) },
    row('put, each awaited', single, below, peer),
    { ...row(`put, ${width} in flight`, flying, ours, peer), limit: atLeast(1) },
    row(`put, ${width} in flight`, flying, below, peer),
  ]);
}

function sides(peers: readonly Peer[], piece: (peer: Peer) => Piece): Record<string, Piece> {
  return Object.fromEntries(peers.map(peer => [peer.name, piece(peer)]));
}

function row(what: string, rates: Record<string, number[]>, one: Peer, peer: Peer): Row {
  const [mine = [], theirs = []] = [rates[one.name], rates[peer.name]];
  const detail = `${one.name} ${shown(median(mine))}/s, ${peer.name} ${shown(median(theirs))}/s`;
  return { what: `${what}: ${one.name} to ${peer.name}`, values: ratios(mine, theirs), unit: 'x', detail };
}

async function rxkv(path: string): Promise<Peer> {
  const store = createStore(lmdb({ path }));
  await store.ready();
  return { name: 'rxkv', put: (key, value) => store.put(key, value), close: () => store.close() };
}

/** The peer, or the loud word that it does not run here. */
async function opened(open: (path: string) => Promise<Peer>, path: string): Promise<Peer | undefined> {
  try {
    return await open(path);
  } catch (error) {
    console.log(`SKIPPED ${open.name}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
