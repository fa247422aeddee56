/**
 * A draft: what a batch of steps makes of a view, before it is written.
 *
 * Each step sees what the steps before it did. A step that changes keys is one transaction with a revision and
 * a log record of its own; one that throws must do so before it writes.
 */
import { asKvError, type KvError } from '../../errors.js';
import { added } from './added.js';
import type { Keyspace } from './keyspace.js';
import { type Instant, live } from './row.js';
import type { Batch, Logged, LogRecord, ReadRow, Row, SessionRow, View, Write } from './table.js';

/** What one call does to a draft, and what it answers. It may run more than once, each time on a new draft. */
export type Step<R> = (draft: Draft) => R;

interface Edit<T> {
  readonly before: T | undefined;
  after: T | undefined;
}

export class Draft {
  readonly view: View;
  readonly at: Instant;
  private readonly rows: Map<string, Edit<Row>> = new Map();
  /** Made when needed: most drafts have none. */
  private sessions: Map<string, Edit<SessionRow>> | undefined;
  private log: LogRecord[] | undefined;
  private changes: Logged[] | undefined;

  constructor(view: View, at: Instant) {
    this.view = view;
    this.at = at;
  }

  /** Of the step that is running, should it change something. */
  get revision(): number {
    return this.view.head + (this.log?.length ?? 0) + 1;
  }

  /** Runs one step; its error comes back as a value, since it is that step's alone. */
  step<R>(step: Step<R>): R | KvError {
    try {
      return step(this);
    } catch (error) {
      return asKvError(error);
    } finally {
      if (this.changes !== undefined) {
        this.log = added(this.log, { revision: this.revision, changes: this.changes });
        this.changes = undefined;
      }
    }
  }

  /** The row as it stands, whether or not it is still alive. */
  row(key: string, options?: ReadRow): Row | undefined {
    const edit = this.rows.get(key);
    return edit === undefined ? this.view.row(key, options) : edit.after;
  }

  /** The row if it is alive. */
  current(key: string): Row | undefined {
    const row = this.row(key);
    return row !== undefined && this.live(row) ? row : undefined;
  }

  live(row: Row): boolean {
    return live(row, this, this.at);
  }

  /** All rows that a prefix means, alive or not, without their values. */
  below(keyspace: Keyspace, prefix: string): Row[] {
    const found: Row[] = [];
    for (const row of keyspace.rows(this.view, prefix, { values: false })) if (!this.rows.has(row.key)) found.push(row);
    for (const [key, { after }] of this.rows) if (after !== undefined && keyspace.within(prefix, key)) found.push(after);
    return found;
  }

  session(id: string): SessionRow | undefined {
    const edit = this.sessions?.get(id);
    return edit === undefined ? this.view.session(id) : edit.after;
  }

  /** The rows that are bound to a session. */
  owned(id: string): Row[] {
    const keys = new Set(this.view.owned(id));
    for (const [key, { after }] of this.rows) if (after?.session === id) keys.add(key);
    return [...keys].flatMap(key => {
      const row = this.row(key);
      return row?.session === id ? [row] : [];
    });
  }

  /** @param before  the row that it replaces, as {@link row} has it */
  put(row: Row, before: Row | undefined): void {
    this.edit(row.key, row, before);
    this.changes = added(this.changes, { put: row.key });
  }

  delete(row: Row): void {
    this.edit(row.key, undefined, row);
    this.changes = added(this.changes, { delete: row.key });
  }

  /** Removes the rows, which are all that the prefix means; they may come without their values. */
  deletePrefix(prefix: string, rows: readonly Row[]): void {
    if (rows.length === 0) return;
    for (const row of rows) this.edit(row.key, undefined, row);
    this.changes = added(this.changes, { deletePrefix: prefix });
  }

  /** Sessions are no keys: a renewal has no revision and wakes nobody. */
  putSession(session: SessionRow): void {
    this.editSession(session.id, session);
  }

  endSession(id: string): void {
    this.editSession(id, undefined);
  }

  /** All that the steps changed; undefined where that is nothing. */
  batch(): Batch | undefined {
    let writes: Write[] | undefined;
    for (const { before, after } of this.rows.values()) {
      if (after !== undefined) writes = added(writes, { put: after, before });
      else if (before !== undefined) writes = added(writes, { remove: before });
    }
    for (const { before, after } of this.sessions?.values() ?? []) {
      if (after !== undefined) writes = added(writes, { session: after, before });
      else if (before !== undefined) writes = added(writes, { endSession: before });
    }
    return writes === undefined && this.log === undefined ? undefined : { writes: writes ?? [], log: this.log ?? [] };
  }

  // Several steps may write one key: the table sees the first `before` and the last `after`.
  private edit(key: string, after: Row | undefined, before: Row | undefined): void {
    const edit = this.rows.get(key);
    if (edit === undefined) this.rows.set(key, { before, after });
    else edit.after = after;
  }

  private editSession(id: string, after: SessionRow | undefined): void {
    this.sessions ??= new Map();
    const edit = this.sessions.get(id);
    if (edit === undefined) this.sessions.set(id, { before: this.view.session(id), after });
    else edit.after = after;
  }
}
