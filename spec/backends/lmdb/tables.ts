/** Tables for specs: opened in a folder of their own, and written to in single transactions. */
import { open } from 'lmdb';
import { openTable, type TableOptions } from '../../../src/backends/lmdb/table.js';
import { decodeHead, encodeHead, encodeSession, headBytes, headKey, schemaKey } from '../../../src/backends/lmdb/layout.js';
import type { Batch, Logged, LogRecord, Row, SessionRow, Table, View, Write } from '../../../src/backends/local/table.js';

/** All tables of one spec file: `const tables = new Tables(); afterEach(() => tables.end());` */
export class Tables {
  private readonly opened: Table[] = [];

  async open(path: string, options: Partial<TableOptions> = {}): Promise<Table> {
    const table = await openTable({ path, history: 100_000, ...options });
    this.opened.push(table);
    return table;
  }

  async end(): Promise<void> {
    await Promise.all(this.opened.splice(0).map(table => table.close()));
  }
}

export type Part = Partial<Pick<Row, 'expires' | 'session'>> & { readonly bytes?: Uint8Array<ArrayBuffer> };

/** One transaction that puts the keys; what they are bound to comes with them. */
export function put(table: Table, values: Readonly<Record<string, string>>, part: Part = {}): Promise<void> {
  return table.commit(view => {
    const revision = view.head + 1;
    const writes = Object.entries(values).map(([key, value]): Write => {
      const before = view.row(key);
      return {
        put: { key, value: part.bytes ?? utf8(value), revision, created: before?.created ?? revision, expires: 0, session: '', ...part },
        before,
      };
    });
    return { writes, log: [{ revision, changes: Object.keys(values).map((key): Logged => ({ put: key })) }] };
  });
}

/** What puts one key, as a batch of its own. */
export function putting(view: View, key: string, value: string): Batch {
  const revision = view.head + 1;
  const before = view.row(key);
  const row = { key, value: utf8(value), revision, created: before?.created ?? revision, expires: 0, session: '' };
  return { writes: [{ put: row, before }], log: [{ revision, changes: [{ put: key }] }] };
}

/** One batch of that many transactions, each of a key of its own. */
export function putMany(table: Table, count: number): Promise<void> {
  return table.commit(view => {
    const writes: Write[] = [];
    const log: LogRecord[] = [];
    for (let i = 0; i < count; i++) {
      const revision = view.head + 1 + i;
      const key = `key${i}`;
      const before = view.row(key);
      writes.push({
        put: { key, value: utf8(`${revision}`), revision, created: before?.created ?? revision, expires: 0, session: '' },
        before,
      });
      log.push({ revision, changes: [{ put: key }] });
    }
    return { writes, log };
  });
}

/** One transaction that removes the keys that are there. */
export function remove(table: Table, ...keys: string[]): Promise<void> {
  return table.commit(view => {
    const revision = view.head + 1;
    const rows = keys.map(key => view.row(key)).filter(row => row !== undefined);
    if (rows.length === 0) return undefined;
    return { writes: rows.map(row => ({ remove: row })), log: [{ revision, changes: rows.map(({ key }) => ({ delete: key })) }] };
  });
}

/** All rows as `key=value`. */
export function contents(view: View): string[] {
  return [...view.rows('', undefined)].map(({ key, value }) => `${key}=${text(value)}`);
}

/** Another process that commits right now, in the midst of our turn, with a session if one is given. */
export function intrude(table: Table, session?: SessionRow): void {
  const native = table.native as Native;
  const settings = { encoding: 'binary', keyEncoding: 'binary' };
  const sessions = native.openDB('rxkv/sessions', settings);
  native.transactionSync(() => {
    const bytes = native.getBinary(headKey);
    const head = decodeHead(bytes);
    void native.put(headKey, encodeHead({ ...head, commits: head.commits + 1 }, bytes.subarray(headBytes)), head.commits + 1);
    if (session !== undefined) void sessions.put(Buffer.from(session.id), encodeSession(session));
  });
}

/** Another version of this package that made the folder its own. */
export async function claimFor(table: Table, schema: number): Promise<void> {
  await (table.native as Native).put(schemaKey, Buffer.from([schema]), 0);
}

/** A folder as it was before the position of the store went into the root. */
export async function fillWithOldSchema(path: string): Promise<void> {
  const environment = open({ path, noSubdir: false, maxDbs: 12, encoding: 'binary', keyEncoding: 'binary', overlappingSync: false });
  for (const name of ['rows', 'log', 'expiries', 'owned', 'sessions']) environment.openDB(`rxkv/${name}`, { keyEncoding: 'binary' });
  const meta = environment.openDB('rxkv/meta', { encoding: 'binary', keyEncoding: 'binary', useVersions: true });
  await meta.put(Buffer.from('head'), new Uint8Array(24), 1);
  await meta.put(Buffer.from('schema'), Uint8Array.of(1), 0);
  await environment.close();
}

/** The root database as well, with keys that are text. */
interface Native {
  openDB(name: string, options: object): Raw;
  transactionSync(work: () => void): void;
  getBinary(key: string): Uint8Array<ArrayBuffer>;
  put(key: string, value: Uint8Array, version?: number): Promise<unknown>;
}

interface Raw {
  getBinary(key: Buffer): Uint8Array<ArrayBuffer>;
  getKeys(range: { start: Buffer }): Iterable<unknown>;
  put(key: Buffer, value: Uint8Array, version?: number): Promise<unknown>;
}

/** The last revision of each record in the database of the log. */
export function logRecords(table: Table): number[] {
  const log = (table.native as Native).openDB('rxkv/log', { encoding: 'binary', keyEncoding: 'binary' });
  return [...log.getKeys({ start: Buffer.alloc(8) })].map(key => (key as Buffer).readDoubleBE(0));
}

/** What is wrong between rows, log and indexes; [] in a table that is whole. */
export function faults(table: Table): string[] {
  const view = table.view();
  const found: string[] = [];
  let revision = view.compacted;
  const lastWrites = new Map<string, { revision: number; put: boolean }>();
  for (const record of view.log(view.compacted)) {
    if (record.revision !== ++revision) found.push(`the log has ${record.revision} in place of ${revision}`);
    for (const change of record.changes) {
      if ('put' in change) lastWrites.set(change.put, { revision: record.revision, put: true });
      else if ('delete' in change) lastWrites.set(change.delete, { revision: record.revision, put: false });
    }
  }
  if (revision !== view.head) found.push(`the log ends at ${revision}, the head is ${view.head}`);
  const dated: string[] = [];
  for (const row of view.rows('', undefined)) {
    const last = lastWrites.get(row.key);
    if (row.revision > view.compacted && (last?.put !== true || last.revision !== row.revision))
      found.push(`${row.key} at ${row.revision} is not what the log says`);
    if (row.expires > 0) dated.push(row.key);
    if (row.session !== '' && ![...view.owned(row.session)].includes(row.key)) found.push(`${row.key} is not owned by its session`);
    lastWrites.delete(row.key);
  }
  for (const [key, { put: written }] of lastWrites) if (written) found.push(`${key} is in the log and not there`);
  const sessions = [...view.rows('', undefined)].filter(row => row.session !== '').length;
  const owned = [
    ...(table.native as Native).openDB('rxkv/owned', { encoding: 'binary', keyEncoding: 'binary' }).getKeys({ start: Buffer.from([0]) }),
  ];
  if (owned.length !== sessions) found.push(`${owned.length} keys are owned by a session, ${sessions} rows have one`);
  const due = [...view.due(Infinity, Infinity)];
  if (due.sort().join() !== dated.sort().join()) found.push(`due are ${due.join()}, with a ttl are ${dated.join()}`);
  return found;
}

export function utf8(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(value) as Uint8Array<ArrayBuffer>;
}

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
