/** Reads of single keys, those that come while one is under way in one transaction. */
import { setImmediate as turn } from 'node:timers/promises';
import { type Coalescer, coalesce } from '../../coalesce.js';
import type { Get } from '../../networked.js';
import { answersTo } from '../../running.js';
import type { Cluster } from './cluster.js';
import { backend, errorOf, isRefusedPath, translated, wordsOf } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { type KvPair, pairsOf, parsed, type Seen, type TxnAnswer, txnBody, txnPairs } from './wire.js';

/** What stands there; undefined where nothing does. */
export type Got = KvPair | undefined;

export type ReadMode = 'consistent' | 'default' | 'stale';

/** Steps in one transaction. */
const most = 64;
/** Transactions at once. */
const width = 2;

/** All in the same mode: a transaction has one for all that it reads. */
export function createGets(cluster: Cluster, keyspace: Keyspace, mode: ReadMode): Coalescer<Get, Got> {
  const reader = new Reader(cluster, keyspace, mode);
  return coalesce<Get, Got>({
    run: gets => answersTo(gets, backend, waiting => reader.run(waiting)),
    alone: ({ key, timeout }) => reader.alone(keyspace.key(key), timeout),
    most: most * width,
    turn,
  });
}

export interface PairsQuery {
  /** A key, or a prefix where `tree`. */
  readonly key: string;
  readonly tree: boolean;
  readonly query: Readonly<Record<string, string>>;
  /** ms */
  readonly timeout: number;
}

/** What stands at a key, or below a prefix; by a transaction where Consul does not take it in a URL. */
export async function readPairs(cluster: Cluster, keyspace: Keyspace, asked: PairsQuery): Promise<readonly KvPair[]> {
  return (await read(cluster, keyspace, asked)).pairs;
}

/** As {@link readPairs}, with the index of the answer; 0 where it has none. */
export async function read(cluster: Cluster, keyspace: Keyspace, { key, tree, query, timeout }: PairsQuery): Promise<Seen> {
  if (keyspace.takesPath(key)) {
    try {
      const all = tree ? { ...query, recurse: '' } : query;
      const answer = await cluster.call({ method: 'GET', path: '/kv/{key}', key, query: all }, { repeatable: true, timeout });
      return { pairs: pairsOf(answer), index: answer.index };
    } catch (error) {
      if (!isRefusedPath(error)) throw error;
      keyspace.refusesPath(key);
    }
  }
  const body = txnBody([{ verb: tree ? 'get-tree' : 'get', key }], cluster.place);
  const answer = await cluster.call({ method: 'PUT', path: '/txn', query, body }, { repeatable: true, timeout });
  return { pairs: txnPairs(answer), index: 0n };
}

export function modeQuery(mode: ReadMode): Record<string, string> {
  return mode === 'default' ? {} : { [mode]: '' };
}

class Reader {
  private readonly cluster: Cluster;
  private readonly keyspace: Keyspace;
  private readonly query: Readonly<Record<string, string>>;

  constructor(cluster: Cluster, keyspace: Keyspace, mode: ReadMode) {
    this.cluster = cluster;
    this.keyspace = keyspace;
    this.query = modeQuery(mode);
  }

  async run(gets: readonly Get[]): Promise<(Got | Error)[]> {
    const names = gets.map(({ key }) => this.keyspace.key(key));
    const keys = [...new Set(names)];
    const timeout = Math.max(...gets.map(get => get.timeout));
    const found = new Map<string, Got | Error>();
    const parts = Array.from({ length: Math.ceil(keys.length / most) }, (_, i) => keys.slice(i * most, (i + 1) * most));
    await Promise.all(parts.map(async part => this.ask(part, timeout, found)));
    return names.map(name => found.get(name));
  }

  private async ask(keys: readonly string[], timeout: number, found: Map<string, Got | Error>): Promise<void> {
    const [first] = keys;
    if (first === undefined) return;
    if (keys.length === 1) {
      found.set(first, await this.alone(first, timeout));
      return;
    }
    try {
      await this.ask(await this.together(keys, timeout, found), timeout, found);
    } catch (error) {
      const { code, transient } = translated(error);
      if (transient || code === 'closed' || code === 'unsupported') throw error;
      // One of them is refused, and the others are not to suffer for it.
      for (const key of keys)
        if (!found.has(key)) found.set(key, await this.alone(key, timeout).catch((error: unknown) => translated(error)));
    }
  }

  /** By a plain request. */
  alone(key: string, timeout: number): Promise<Got> {
    const { cluster, keyspace, query } = this;
    return read(cluster, keyspace, { key, query, tree: false, timeout }).then(({ pairs }) => pairs[0]);
  }

  /** One transaction, which is refused as a whole where a key is absent; those that are still to be asked. */
  private async together(keys: readonly string[], timeout: number, found: Map<string, Got | Error>): Promise<readonly string[]> {
    const body = txnBody(
      keys.map(key => ({ verb: 'get', key })),
      this.cluster.place,
    );
    const answer = await this.cluster.call({ method: 'PUT', path: '/txn', query: this.query, body }, { repeatable: true, timeout });
    const { Results, Errors } = parsed<TxnAnswer>(answer);
    for (const { OpIndex, What } of Errors ?? []) {
      const refused = wordsOf(What, What);
      found.set(keys[OpIndex] as string, refused === undefined ? undefined : errorOf(refused));
    }
    if (answer.status === 409) return keys.filter(key => !found.has(key));
    for (const { KV } of Results ?? []) found.set(KV.Key, KV);
    // What the token may not read is left out in silence; asked by itself it is refused.
    for (const key of keys)
      if (!found.has(key)) found.set(key, await this.alone(key, timeout).catch((error: unknown) => translated(error)));
    return [];
  }
}
