/**
 * A table: where a local backend keeps its rows, so that memory and LMDB are one engine over two tables.
 *
 * Keys here are whole: the root of the store and its key. Revisions are plain numbers, exact up to 2^53; one
 * transaction has one revision, however many keys it writes.
 */
import type { Observable } from 'rxjs';

export interface Row {
  readonly key: string;
  readonly value: Uint8Array<ArrayBuffer>;
  /** Of the transaction that wrote it last. */
  readonly revision: number;
  /** Of the transaction that created it. */
  readonly created: number;
  /** epoch ms; 0: never */
  readonly expires: number;
  /** The id of the session that it dies with; '': none */
  readonly session: string;
}

/** A session lives until `deadline` on the monotonic clock of that boot of the machine. */
export interface SessionRow {
  readonly id: string;
  readonly ttl: number;
  /** ms on the table's monotonic clock */
  readonly deadline: number;
  /** Of the machine, as {@link Table.boot}. */
  readonly boot: string;
}

/** What a transaction did, without the values: who follows the log reads those as they are by then. */
export type Logged = { readonly put: string } | { readonly delete: string } | { readonly deletePrefix: string };

export interface LogRecord {
  readonly revision: number;
  readonly changes: readonly Logged[];
}

/** One step of a batch. The row it replaces or removes comes along, so that a table can mend its indexes. */
export type Write =
  | { readonly put: Row; readonly before: Row | undefined }
  | { readonly remove: Row }
  | { readonly session: SessionRow; readonly before: SessionRow | undefined }
  | { readonly endSession: SessionRow };

export interface Batch {
  readonly writes: readonly Write[];
  /** One record for each transaction that changed something, in revision order; [] when only sessions changed. */
  readonly log: readonly LogRecord[];
}

export interface ReadRow {
  /** false: the value may be left out, where that is cheaper. */
  readonly values?: boolean;
}

/** One committed state, to be read in the synchronous turn in which it was asked for. */
export interface View {
  /** The revision of the newest transaction; 0 in a new table. */
  readonly head: number;
  /** The log holds all records after this revision. */
  readonly compacted: number;
  row(key: string, options?: ReadRow): Row | undefined;
  /** Rows with `from <= key < to` in the table's own key order (UTF-8 bytes or JavaScript strings), lazily. */
  rows(from: string, to: string | undefined, options?: ReadRow): Iterable<Row>;
  /** Records with a revision over `after`, in order. */
  log(after: number): Iterable<LogRecord>;
  /** When the next key with a ttl is due, in epoch ms. */
  nextExpiry(): number | undefined;
  /** Keys that are due at `now`, soonest first. */
  due(now: number, most: number): Iterable<string>;
  session(id: string): SessionRow | undefined;
  sessions(): Iterable<SessionRow>;
  /** Keys that were written under the session; some may have been overwritten since. */
  owned(session: string): Iterable<string>;
}

export interface Table {
  /** ms since the epoch: what a ttl is counted in. */
  wall(): number;
  /** ms on a clock that all processes on this boot of the machine share: what sessions are counted in. */
  monotonic(): number;
  /** Which boot of the machine it is; '' where that cannot be told. */
  readonly boot: string;
  readonly native: unknown;
  /** The newest committed state, those of other processes included. */
  view(): View;
  /**
   * Writes what `prepare` makes of the newest state, atomically, and resolves once it is durable. `prepare` runs
   * again when somebody else has written in between; undefined writes nothing. Batches of one table are handed
   * in one at a time. A failure rejects with a KvError; its outcome is `unknown` when it may have been written.
   */
  commit(prepare: (view: View) => Batch | undefined): Promise<void>;
  /**
   * Says that something may have been committed, here or in another process, while subscribed. Spurious news
   * are fine, missing ones are not. A subscription keeps the process alive.
   */
  readonly news$: Observable<void>;
  /** Forgets the whole log, for tests. */
  compact(): Promise<void>;
  close(): Promise<void>;
}
