/** Peers: other embedded stores as a key-value table, set to be as durable as we are. */
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { open } from 'lmdb';

export interface Peer {
  readonly name: string;
  /** Durable once it resolves, or once it returns where it returns nothing. */
  put(key: string, value: Uint8Array): PromiseLike<unknown> | undefined;
  close(): Promise<void> | void;
}

/** What we use of classic-level, which is installed in bench/peers/ and not here. */
interface ClassicLevel {
  new (
    path: string,
    options: object,
  ): {
    open(): Promise<void>;
    put(key: string, value: Uint8Array, options: { sync: boolean }): Promise<void>;
    close(): Promise<void>;
  };
}

/** What we use of node:sqlite, which Node 20 does not have. */
interface Sqlite {
  DatabaseSync: new (
    path: string,
  ) => {
    exec(sql: string): void;
    prepare(sql: string): { run(...values: unknown[]): unknown; get(): unknown };
    close(): void;
  };
}

const require = createRequire(new URL('../../bench/peers/package.json', import.meta.url));

/** What rxkv stands on, to tell which part of a figure is its. */
export async function lmdbAlone(path: string): Promise<Peer> {
  const database = open<Uint8Array, string>({ path, noSubdir: false, encoding: 'binary' });
  return { name: 'lmdb alone', put: (key, value) => database.put(key, value), close: () => database.close() };
}

export async function classicLevel(path: string): Promise<Peer> {
  const { ClassicLevel } = require('classic-level') as { ClassicLevel: ClassicLevel };
  const level = new ClassicLevel(path, { valueEncoding: 'view' });
  await level.open();
  return { name: 'classic-level', put: (key, value) => level.put(key, value, { sync: true }), close: () => level.close() };
}

export async function sqlite(path: string): Promise<Peer> {
  const { DatabaseSync } = require('node:sqlite') as Sqlite;
  mkdirSync(path);
  const database = new DatabaseSync(join(path, 'kv.db'));
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  database.exec('CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID');
  const put = database.prepare('INSERT INTO kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value');
  return {
    name: 'sqlite',
    // Each is a transaction of its own, and on the disk when it returns.
    put(key, value) {
      put.run(key, value);
      return undefined;
    },
    close: () => database.close(),
  };
}
