/**
 * The sweeper: removes keys whose ttl is over and sessions that ended, so that whoever watches is told.
 *
 * Reads never wait for it: what is due looks absent on every path. It keeps no process alive by itself; a feed
 * or a held session does.
 */
import type { Draft } from './draft.js';
import { alive, type Instant, instantOf } from './row.js';
import type { Batch, Row, Table, View } from './table.js';
import type { Writer } from './writer.js';

/** Keys removed in one commit. */
const most = 1000;
/** ms until the next look where something is waiting: a clock may be set, and a machine sleep without its timers. */
const mostPatience = 10_000;
/** ms until the next try when a sweep failed, or removed nothing. */
const retryAfter = 1000;

export class Sweeper {
  private readonly table: Table;
  private readonly writer: Writer;
  private readonly every: number;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer is due, on the table's monotonic clock. */
  private due = Infinity;
  private sweeping = false;
  private closed = false;

  /** @param every  ms after which to look at the latest; Infinity where nobody else can write to the table */
  constructor(table: Table, writer: Writer, every: number) {
    this.table = table;
    this.writer = writer;
    this.every = every;
    this.look();
  }

  /** Takes note of what a batch wrote that has an end. */
  wrote({ writes }: Batch): void {
    for (const write of writes) {
      if ('put' in write && write.put.expires !== 0) this.within(write.put.expires - this.table.wall());
      else if ('session' in write) this.within(write.session.deadline - this.table.monotonic());
    }
  }

  /** Takes note of a row that may have been written elsewhere. */
  saw(row: Row, view: View): void {
    if (row.expires !== 0) this.within(row.expires - this.table.wall());
    if (row.session === '') return;
    const session = view.session(row.session);
    if (session !== undefined) this.within(session.deadline - this.table.monotonic());
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  /** Looks at what is there, whoever wrote it. Reads first: a table where nothing is due is not written to. */
  private look(): void {
    if (this.closed || this.sweeping) return;
    clearTimeout(this.timer);
    this.due = Infinity;
    try {
      const left = untilNext(this.table.view(), instantOf(this.table));
      if (left <= 0) void this.sweep();
      else this.within(Math.min(left, this.every));
    } catch {
      this.within(retryAfter);
    }
  }

  /** Looks again in `ms` at the latest. */
  private within(ms: number): void {
    if (this.closed || this.sweeping || ms === Infinity) return;
    const now = this.table.monotonic();
    // A timer may be early by a fraction of a ms.
    const delay = Math.min(Math.max(1, Math.ceil(ms)), mostPatience);
    if (now + delay >= this.due) return;
    clearTimeout(this.timer);
    this.due = now + delay;
    this.timer = setTimeout(() => this.look(), delay);
    (this.timer as { unref?: () => void }).unref?.();
  }

  private async sweep(): Promise<void> {
    this.sweeping = true;
    const removed = await this.writer.write(sweep).catch(() => 0);
    this.sweeping = false;
    if (removed > 0) this.look();
    else this.within(retryAfter);
  }
}

/** ms until something is due; Infinity where nothing ever is. */
export function untilNext(view: View, at: Instant): number {
  let left = (view.nextExpiry() ?? Infinity) - at.wall;
  for (const session of view.sessions()) {
    if (!alive(session, at)) return 0;
    left = Math.min(left, session.deadline - at.monotonic);
  }
  return left;
}

/** Removes what is due, up to {@link most} keys of it; how many keys and sessions that were. */
export function sweep(draft: Draft): number {
  let keys = 0;
  let sessions = 0;
  for (const key of [...draft.view.due(draft.at.wall, most)]) {
    const row = draft.row(key);
    if (row === undefined || row.expires === 0 || row.expires > draft.at.wall) continue;
    draft.delete(row);
    keys++;
  }
  for (const { id } of [...draft.view.sessions()]) {
    const session = draft.session(id);
    if (session === undefined || alive(session, draft.at)) continue;
    const owned = draft.owned(id);
    for (const row of owned.slice(0, most - keys)) draft.delete(row);
    keys += Math.min(owned.length, most - keys);
    if (keys === most) break;
    draft.endSession(id);
    sessions++;
  }
  return keys + sessions;
}
