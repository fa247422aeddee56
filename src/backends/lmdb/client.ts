/** The client: the package lmdb as we use it, its folder, and the databases that we keep in there. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Crossing } from './crossing.js';
import { use } from './environments.js';
import { notLoaded, translated } from './errors.js';
import { type Expiry, expiryKeys, headersOnly, numberKeys, type Owned, ownedKeys, type Stored, textKeys, whole } from './layout.js';
import { mapSize } from './map-size.js';
import { preflight } from './preflight.js';
import { claim } from './schema.js';

/** One of the databases of an environment: an ordered map on disk. */
export interface Database<K, V = Uint8Array<ArrayBuffer>> {
  /** A copy of the bytes, ours to keep. */
  getBinary(key: K): Uint8Array<ArrayBuffer> | undefined;
  /** The bytes where they are until the next read of anything: of a large value in the file itself, and then no Buffer. */
  getBinaryFast(key: K): Uint8Array<ArrayBuffer> | undefined;
  /** To be iterated to its end or left by `break`, within one turn: it pins a snapshot while it is open. */
  getRange(range: {
    readonly start: K;
    readonly end?: K | undefined;
    readonly limit?: number;
  }): Iterable<{ readonly key: K; readonly value: V }>;
  getKeys(range: { readonly start: K; readonly end?: K | undefined; readonly limit?: number }): Iterable<K>;
  put(key: K, value: Uint8Array, version?: number): unknown;
  remove(key: K): unknown;
  /** Carries out what `write` asks for, all or nothing, if the entry still has that version; tells whether it had. */
  ifVersion(key: K, version: number, write: () => void): Promise<boolean>;
}

export interface Client {
  /** The environment, for what we do not cover. */
  readonly native: unknown;
  /** What is written under each key, without its bytes and with them: one database, read in two ways. */
  readonly headers: Database<string, Stored>;
  readonly rows: Database<string, Stored>;
  /** revision → what that transaction changed */
  readonly log: Database<number>;
  readonly expiries: Database<Expiry>;
  readonly owned: Database<Owned>;
  readonly sessions: Database<string>;
  /**
   * The database that lists the others. Each commit writes to it as they change, so the position of the store (in one
   * record that has the count of commits as its version) costs no page of its own there.
   */
  readonly root: Database<string>;
  /** Makes the next read see what was committed until now, by whomever. */
  refresh(): void;
  /** Runs `work` under the write lock that all processes share, and waits for both. */
  transactionSync<T>(work: () => T): T;
  /** Resolves once all that was committed is on the disk. */
  flushed(): Promise<unknown>;
  /** Bytes of the data file that hold nothing any more. */
  reusable(): number;
  /** Frees the slots of readers that died; how many. */
  readerCheck(): number;
  close(): Promise<void>;
}

/** What all processes of a folder must agree on is constant: the first to open it decides. */
const settings = {
  // A dot in the last segment would make it a file.
  noSubdir: false,
  maxDbs: 12,
  // 126 by default, over all processes.
  maxReaders: 1024,
  encoding: 'binary',
  keyEncoder: textKeys,
  useVersions: true,
  // We batch ourselves, and its own batches reject a promise that nobody holds when a commit fails.
  eventTurnBatching: false,
  // With it, a commit goes on syncing after it let the lock go, and two handles of one process (two stores, worker
  // threads) then corrupt each other's transactions: MDB_BAD_TXN "no parent", or a crash, seen in lmdb 3.5.6. Without
  // it, what others see is on the disk already.
  overlappingSync: false,
} as const;

/** Of one database, and of what holds them together. */
interface Pages {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface Statistics extends Pages {
  readonly lastPageNumber: number;
  readonly root: Pages;
  readonly free: Pages;
}

interface Counted {
  getStats(): Statistics;
}

/** What lmdb's own types leave out: `put` with a version, key encoders, `flushed` as a thenable. It is the root database itself. */
interface Environment extends Database<string> {
  openDB(name: string, options: object): unknown;
  resetReadTxn(): void;
  transactionSync<T>(work: () => T): T;
  readonly flushed: PromiseLike<unknown>;
  readerCheck(): number;
  close(): Promise<void>;
}

type Open = (options: object) => Environment;

/**
 * Opens the folder, making it (readable by its owner only) where it is absent.
 *
 * @throws KvError `unsupported` without the package lmdb, or for a folder that a newer version of this one wrote;
 *   `invalid` where the folder holds what is no LMDB database, `denied` without the permission, `unavailable` while a
 *   process writes to it that does not get done
 */
export async function openClient(path: string, crossing: Crossing): Promise<Client> {
  const open = await load();
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return await use(path, dataFile(path), async () => {
      await preflight(path);
      return crossing.open(() => opened(open({ path, ...settings, ...mapSize() }), path));
    });
  } catch (error) {
    throw translated(error, path);
  }
}

/** Its databases are made, or found, while nobody else opens or writes. */
async function opened(environment: Environment, path: string): Promise<Client> {
  try {
    const client = clientOf(environment);
    claim(client, path);
    return client;
  } catch (error) {
    await environment.close();
    throw error;
  }
}

/** The file that grows with each commit. */
export function dataFile(path: string): string {
  return join(path, 'data.mdb');
}

async function load(): Promise<Open> {
  try {
    // lmdb's types describe a CommonJS module and know half of the options: Environment is what we rely on.
    const { open } = (await import('lmdb')) as unknown as { open: Open };
    return open;
  } catch (error) {
    throw notLoaded(error);
  }
}

function clientOf(environment: Environment): Client {
  // The cast is the confession for all of this file: what openDB returns is as its options say.
  const database = <K, V = Uint8Array<ArrayBuffer>>(name: string, options: object): Database<K, V> & Counted =>
    environment.openDB(`rxkv/${name}`, { encoding: 'binary', ...options }) as Database<K, V> & Counted;
  const databases = {
    headers: database<string, Stored>('rows', { keyEncoder: textKeys, encoder: headersOnly }),
    rows: database<string, Stored>('rows', { keyEncoder: textKeys, encoder: whole }),
    log: database<number>('log', { keyEncoder: numberKeys }),
    expiries: database<Expiry>('expiries', { keyEncoder: expiryKeys }),
    owned: database<Owned>('owned', { keyEncoder: ownedKeys }),
    sessions: database<string>('sessions', { keyEncoder: textKeys }),
  };
  return {
    ...databases,
    root: environment,
    native: environment,
    refresh: () => environment.resetReadTxn(),
    transactionSync: work => environment.transactionSync(work),
    flushed: async () => environment.flushed,
    reusable() {
      const { rows, log, expiries, owned, sessions } = databases;
      return reusableIn([rows, log, expiries, owned, sessions].map(each => each.getStats()));
    },
    readerCheck: () => environment.readerCheck(),
    close: () => environment.close(),
  };
}

/** All pages of the file, without those that a tree has. */
function reusableIn(databases: readonly Statistics[]): number {
  const [{ lastPageNumber, pageSize, root, free }] = databases as [Statistics, ...Statistics[]];
  let pages = lastPageNumber + 1;
  for (const used of [root, free, ...databases]) pages -= used.treeBranchPageCount + used.treeLeafPageCount + used.overflowPages;
  return pages * pageSize;
}
