/** The engine: what works on one open table. The driver opens it, keeps its calls in time, and closes it. */
import { KvError } from '../../errors.js';
import type { Step } from './draft.js';
import { Hub } from './hub.js';
import type { Keyspace } from './keyspace.js';
import { type Instant, instantOf } from './row.js';
import { Sessions } from './session.js';
import { Sweeper } from './sweep.js';
import type { Table } from './table.js';
import { Writer } from './writer.js';

export interface EngineOptions {
  readonly backend: string;
  readonly keyspace: Keyspace;
  /** As {@link LocalOptions.sweepEvery}. */
  readonly sweepEvery: number | undefined;
  /** Puts a step on its way as a call of users is, with its timeout and through its gate. */
  readonly send: <R>(engine: Engine, step: Step<R>) => Promise<R>;
  readonly ending: (work: Promise<void>) => void;
}

export class Engine {
  readonly table: Table;
  readonly writer: Writer;
  readonly hub: Hub;
  readonly sessions: Sessions;
  readonly now: () => Instant;
  private readonly sweeper: Sweeper | undefined;
  private readonly backend: string;
  private readonly endings: Set<Promise<void>> = new Set();

  constructor(table: Table, { backend, keyspace, sweepEvery, send, ending }: EngineOptions) {
    this.table = table;
    this.backend = backend;
    this.now = () => instantOf(table);
    this.writer = new Writer(table, batch => {
      this.sweeper?.wrote(batch);
      this.hub.wake();
    });
    this.sweeper = sweepEvery === undefined ? undefined : new Sweeper(table, this.writer, sweepEvery);
    this.hub = new Hub(table, keyspace, backend, (row, view) => this.sweeper?.saw(row, view));
    this.sessions = new Sessions({
      table,
      send: step => send(this, step),
      ending: work => {
        this.endings.add(work);
        void work.finally(() => this.endings.delete(work));
        ending(work);
      },
    });
  }

  /** Ends feeds and sessions, waits for what is under way, and closes the table. */
  async close(): Promise<void> {
    const closed = new KvError('closed', 'the store is closed', { backend: this.backend });
    this.sweeper?.close();
    this.hub.fail(closed);
    this.sessions.fail(closed);
    while (this.endings.size > 0) await Promise.all(this.endings);
    await this.writer.idle();
    await this.table.close();
  }
}
