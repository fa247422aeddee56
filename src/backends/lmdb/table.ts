/**
 * The table on disk: an LMDB environment that any number of processes of one machine read and write at once.
 *
 * A commit is optimistic: decided on what is committed now, and carried out off our thread under the condition
 * that nobody has committed since, so that no process holds the write lock while its event loop is busy.
 */
import type { Observable } from 'rxjs';
import type { Batch, Table, View } from '../local/table.js';
import { type Client, dataFile, openClient } from './client.js';
import { bootId, monotonic, wall } from './clock.js';
import { Crossing } from './crossing.js';
import { closed, commitFailure, translated } from './errors.js';
import { createNews, type News } from './news.js';
import { Space } from './space.js';
import { ClientView, headOf } from './view.js';
import { carryOut, compaction, type Plan, planOf } from './write.js';
import { headKey } from './layout.js';

export interface TableOptions {
  /** The folder. */
  readonly path: string;
  /** How many transactions the log holds at least. */
  readonly history: number;
}

/**
 * Lost races after which a commit takes the write lock first: under heavy traffic a large transaction would never be
 * fast enough. It blocks this thread meanwhile, so it comes late. Never asynchronously: a lock that waits for our
 * event loop deadlocks with whatever blocks that loop for the lock, as opening the folder a second time does.
 */
const optimistic = 20;
/** ms between looks for readers that died. */
const readerCheckInterval = 60_000;
/** ms that close() waits for the last write: another process may be stopped while it holds the write lock. */
const patience = 2000;
/** Records of the log forgotten in one commit of compact(). */
const compactedAtOnce = 4000;

/**
 * Opens the table in a folder, making it where it is absent.
 *
 * @throws KvError `unsupported`, `invalid` or `denied` as told in {@link openClient}; `unsupported` for a folder
 *   that another version of this package wrote in a layout of its own
 */
export async function openTable(options: TableOptions): Promise<Table> {
  const crossing = new Crossing(options.path);
  try {
    return new DiskTable(await openClient(options.path, crossing), crossing, options);
  } catch (error) {
    crossing.end();
    throw error;
  }
}

class DiskTable implements Table {
  readonly boot: string = bootId();
  readonly native: unknown;
  readonly news$: Observable<void>;
  readonly wall: () => number = wall;
  readonly monotonic: () => number = monotonic;
  private readonly client: Client;
  private readonly crossing: Crossing;
  private readonly path: string;
  private readonly history: number;
  private readonly news: News;
  private readonly space: Space;
  private readonly readers: NodeJS.Timeout;
  private closing: Promise<void> | undefined;

  constructor(client: Client, crossing: Crossing, { path, history }: TableOptions) {
    this.client = client;
    this.crossing = crossing;
    this.path = path;
    this.history = history;
    this.native = client.native;
    this.news = createNews({ file: dataFile(path), position: () => this.commits() });
    this.news$ = this.news.news$;
    this.space = new Space(path, () => client.reusable());
    this.readers = setInterval(() => this.freeReaders(), readerCheckInterval);
    this.readers.unref();
  }

  view(): View {
    return this.newest();
  }

  commit(prepare: (view: View) => Batch | undefined): Promise<void> {
    return this.write(view => {
      const batch = prepare(view);
      return batch === undefined || isEmpty(batch) ? undefined : planOf(batch, view, this.history);
    });
  }

  async compact(): Promise<void> {
    while (this.newest().compacted < this.newest().head) {
      await this.write(view => (view.compacted < view.head ? compaction(view, compactedAtOnce) : undefined));
    }
  }

  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  private async write(decide: (view: ClientView) => Plan | undefined): Promise<void> {
    await this.crossing.write(async () => {
      for (let lost = 0; ; lost++) {
        if (await (lost < optimistic ? this.writeUnlessLate(decide) : this.writeLocked(decide))) break;
      }
    });
    this.news.look();
  }

  /** Writes if nobody else has by then; whether it came to that. */
  private async writeUnlessLate(decide: (view: ClientView) => Plan | undefined): Promise<boolean> {
    const plan = this.checked(decide(this.newest(true)));
    if (plan === undefined) return true;
    const { client } = this;
    try {
      // Answers after the sync, as `flushed` would: measured with an fdatasync that takes 50 ms.
      const written = client.root.ifVersion(headKey, plan.before.commits, () => carryOut(client, plan));
      this.space.lookAhead(plan.batch);
      return await written;
    } catch (error) {
      throw await commitFailure(error, this.path);
    }
  }

  private async writeLocked(decide: (view: ClientView) => Plan | undefined): Promise<true> {
    this.assertOpen();
    const { client } = this;
    let refused: { readonly reason: unknown } | undefined;
    try {
      client.transactionSync(() => {
        try {
          const plan = this.checked(decide(new ClientView(client, true)));
          if (plan !== undefined) carryOut(client, plan);
        } catch (reason) {
          // Nothing is written yet, so an empty transaction is what remains.
          refused = { reason };
        }
      });
      if (refused === undefined) await client.flushed();
    } catch (error) {
      throw await commitFailure(error, this.path);
    }
    if (refused !== undefined) throw refused.reason;
    return true;
  }

  private checked(plan: Plan | undefined): Plan | undefined {
    if (plan !== undefined) this.space.check(plan.batch);
    return plan;
  }

  private newest(writing?: boolean): ClientView {
    this.assertOpen();
    try {
      this.client.refresh();
      return new ClientView(this.client, writing);
    } catch (error) {
      throw translated(error, this.path);
    }
  }

  /** NaN, which equals nothing, where it cannot be read: whoever looks then is told why. */
  private commits(): number {
    try {
      this.client.refresh();
      return headOf(this.client).commits;
    } catch {
      return Number.NaN;
    }
  }

  private freeReaders(): void {
    try {
      this.client.readerCheck();
    } catch {
      // The next minute is as good: it only frees what the dead have left.
    }
  }

  private assertOpen(): void {
    if (this.closing !== undefined) throw closed(this.path);
  }

  private async end(): Promise<void> {
    this.news.close();
    clearInterval(this.readers);
    let timer: NodeJS.Timeout | undefined;
    // Goes on by itself when patience ends: lmdb closes once its last write is through.
    const over = this.client.close().catch(() => {});
    void over.then(() => this.crossing.end());
    await Promise.race([over, new Promise<void>(resolve => (timer = setTimeout(resolve, patience)))]);
    clearTimeout(timer);
  }
}

function isEmpty({ writes, log }: Batch): boolean {
  return writes.length === 0 && log.length === 0;
}
