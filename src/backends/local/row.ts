/** Rows: which of them are still alive, and how users see them. */
import type { Entry } from '../../entry.js';
import type { Row, SessionRow, Table, View } from './table.js';

/** One moment on the clocks of a table, the same for all parts of an operation. */
export interface Instant {
  readonly wall: number;
  readonly monotonic: number;
  readonly boot: string;
}

type Clocks = Pick<Table, 'wall' | 'monotonic' | 'boot'>;

/** The moment at which each clock is first asked: most operations meet nothing that has an end, and need none. */
export function instantOf(table: Clocks): Instant {
  return new Moment(table);
}

class Moment implements Instant {
  private readonly table: Clocks;
  private askedWall: number | undefined;
  private askedMonotonic: number | undefined;

  constructor(table: Clocks) {
    this.table = table;
  }

  get wall(): number {
    this.askedWall ??= this.table.wall();
    return this.askedWall;
  }

  get monotonic(): number {
    this.askedMonotonic ??= this.table.monotonic();
    return this.askedMonotonic;
  }

  get boot(): string {
    return this.table.boot;
  }
}

/**
 * ms that a session outlives its ttl on the table. Its holder counts the ttl alone, from when it sent, and so
 * learns of its end before a rival can see it (guarantee 5).
 */
export function graceOf(ttl: number): number {
  return Math.max(50, Math.min(1000, ttl / 10));
}

/** Whether a session still lives. */
export function alive(session: SessionRow, at: Instant): boolean {
  if (session.boot !== '' && at.boot !== '') return session.boot === at.boot && session.deadline > at.monotonic;
  // The clock starts anew with the machine: a session that was renewed in the future is from before.
  const renewed = session.deadline - session.ttl - graceOf(session.ttl);
  // One ms for what the sum and its difference lose as floating-point numbers.
  return renewed <= at.monotonic + 1 && session.deadline > at.monotonic;
}

/** Whether a row still counts; one that does not looks absent on every path, swept or not. */
export function live(row: Row, view: Pick<View, 'session'>, at: Instant): boolean {
  if (row.expires !== 0 && row.expires <= at.wall) return false;
  if (row.session === '') return true;
  const session = view.session(row.session);
  return session !== undefined && alive(session, at);
}

/** Whether a row lives for ever unless somebody writes; most do, and need no clock. */
export function permanent(row: Row): boolean {
  return row.expires === 0 && row.session === '';
}

/** A row as users see it, below the root. */
export function toEntry(row: Row, root: string): Entry {
  return {
    key: root === '' ? row.key : row.key.slice(root.length),
    value: row.value,
    revision: BigInt(row.revision),
    created: BigInt(row.created),
    leased: !permanent(row),
  };
}
