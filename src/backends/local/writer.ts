/** The writer: hands the steps of many calls to the table in batches, one at a time. */
import { coalesce, type Coalescer } from '../../coalesce.js';
import { Draft, type Step } from './draft.js';
import { instantOf } from './row.js';
import type { Batch, Table, View } from './table.js';

/** A class, for the reason that `Waiting` of coalesce.ts has. */
class Queued {
  readonly step: Step<unknown>;
  /** Nobody waits for it any more. */
  abandoned = false;

  constructor(step: Step<unknown>) {
    this.step = step;
  }
}

export class Writer {
  private readonly table: Table;
  private readonly committed: (batch: Batch) => void;
  private readonly queue: Coalescer<Queued, unknown>;

  /** @param committed  told of what was written, before those who asked for it */
  constructor(table: Table, committed: (batch: Batch) => void) {
    this.table = table;
    this.committed = committed;
    this.queue = coalesce({ run: batch => this.run(batch) });
  }

  /**
   * Runs a step and writes what it changed, together with others. Steps take effect in the order of asking.
   *
   * @param wait  who waits for the answer, and for how long; a step that is given up before its batch starts
   *   is left out
   */
  write<R>(step: Step<R>, wait?: (answer: Promise<R>, giveUp: () => void) => Promise<R>): Promise<R> {
    const queued = new Queued(step);
    const answer = this.queue(queued) as Promise<R>;
    return wait === undefined ? answer : wait(answer, () => (queued.abandoned = true));
  }

  /** Resolves once nothing is waiting or under way. */
  idle(): Promise<void> {
    return this.queue.idle();
  }

  private run(batch: readonly Queued[]): Promise<readonly unknown[]> {
    let answers: readonly unknown[] = [];
    let written: Batch | undefined;
    const prepare = (view: View): Batch | undefined => {
      const draft = new Draft(view, instantOf(this.table));
      answers = batch.map(({ step, abandoned }) => (abandoned ? undefined : draft.step(step)));
      written = draft.batch();
      return written;
    };
    return this.table.commit(prepare).then(() => {
      if (written !== undefined) this.committed(written);
      return answers;
    });
  }
}
