/** Storage: the rows of one world, their indexes and their log, in the memory of this process. */
import { type Observable, Subject } from 'rxjs';
import type { Batch, Logged, LogRecord, Row, SessionRow, View, Write } from '../local/table.js';
import { Sorted } from './sorted.js';

/** Log records that are kept at least. */
const history = 10_000;

interface Due {
  readonly expires: number;
  readonly key: string;
}

/** A view of itself: it changes only in {@link commit}, which is not called while somebody reads. */
export class Storage implements View {
  head = 0;
  compacted = 0;
  private readonly byKey: Map<string, Row> = new Map();
  private readonly keys: Sorted<string> = new Sorted<string>(order);
  private readonly expiries: Sorted<Due> = new Sorted<Due>((a, b) => a.expires - b.expires || order(a.key, b.key));
  private readonly bySession: Map<string, Set<string>> = new Map();
  private readonly sessionRows: Map<string, SessionRow> = new Map();
  /** What each revision after `compacted` changed: most are one change, and the log is most of what a write leaves to be kept. */
  private records: (Logged | readonly Logged[])[] = [];
  private readonly commits$: Subject<Batch> = new Subject<Batch>();

  /** What was written, after each commit. */
  readonly committed$: Observable<Batch> = this.commits$.asObservable();

  commit(prepare: (view: View) => Batch | undefined): void {
    const batch = prepare(this);
    if (batch === undefined) return;
    for (const write of batch.writes) this.apply(write);
    for (const { changes } of batch.log) this.records.push(changes.length === 1 ? (changes[0] as Logged) : changes);
    this.head = batch.log.at(-1)?.revision ?? this.head;
    if (this.records.length > 2 * history) this.forget(this.records.length - history);
    this.commits$.next(batch);
  }

  /** Forgets the whole log. */
  compact(): void {
    this.forget(this.records.length);
  }

  row(key: string): Row | undefined {
    return this.byKey.get(key);
  }

  *rows(from: string, to: string | undefined): Generator<Row, void, undefined> {
    for (const key of this.keys.from(from)) {
      if (to !== undefined && key >= to) return;
      yield this.byKey.get(key) as Row;
    }
  }

  log(after: number): LogRecord[] {
    const from = Math.max(after, this.compacted);
    return this.records
      .slice(from - this.compacted)
      .map((changes, i) => ({ revision: from + i + 1, changes: 'length' in changes ? changes : [changes] }));
  }

  nextExpiry(): number | undefined {
    return this.expiries.first()?.expires;
  }

  *due(now: number, most: number): Generator<string, void, undefined> {
    let left = most;
    for (const { expires, key } of this.expiries.from({ expires: 0, key: '' })) {
      if (expires > now || left-- <= 0) return;
      yield key;
    }
  }

  session(id: string): SessionRow | undefined {
    return this.sessionRows.get(id);
  }

  sessions(): Iterable<SessionRow> {
    return this.sessionRows.values();
  }

  owned(session: string): Iterable<string> {
    return this.bySession.get(session) ?? [];
  }

  private apply(write: Write): void {
    if ('put' in write) this.replace(write.put.key, write.put);
    else if ('remove' in write) this.replace(write.remove.key, undefined);
    else if ('session' in write) this.sessionRows.set(write.session.id, write.session);
    else this.sessionRows.delete(write.endSession.id);
  }

  private replace(key: string, row: Row | undefined): void {
    const before = this.byKey.get(key);
    if (before !== undefined) this.unindex(before);
    if (row === undefined) {
      this.byKey.delete(key);
      this.keys.delete(key);
      return;
    }
    this.byKey.set(key, row);
    if (before === undefined) this.keys.add(key);
    if (row.expires !== 0) this.expiries.add({ expires: row.expires, key });
    if (row.session === '') return;
    const owned = this.bySession.get(row.session);
    if (owned === undefined) this.bySession.set(row.session, new Set([key]));
    else owned.add(key);
  }

  private unindex({ key, expires, session }: Row): void {
    if (expires !== 0) this.expiries.delete({ expires, key });
    const owned = this.bySession.get(session);
    owned?.delete(key);
    if (owned?.size === 0) this.bySession.delete(session);
  }

  private forget(count: number): void {
    this.compacted += count;
    this.records = this.records.slice(count);
  }
}

/** JavaScript's order of strings. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
