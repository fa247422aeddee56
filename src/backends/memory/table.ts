/** A table over a world's storage, as one driver has it. */
import { Observable } from 'rxjs';
import type { Batch, Table, View } from '../local/table.js';
import type { Storage } from './storage.js';

const longestTimer = 2 ** 31 - 1;

export class MemoryTable implements Table {
  /** Storage and clock end together, so there is one boot only. */
  readonly boot: string = 'memory';
  readonly native: unknown;
  readonly news$: Observable<void>;
  private readonly storage: Storage;
  private readonly closed: () => void;

  /**
   * @param native  what users find as `store.native`
   * @param closed  called when the driver closes
   */
  constructor(storage: Storage, native: unknown, closed: () => void) {
    this.storage = storage;
    this.native = native;
    this.closed = closed;
    this.news$ = new Observable<void>(subscriber => {
      // Nothing but a timer keeps a process alive that waits for news from itself.
      const alive = setInterval(() => {}, longestTimer);
      subscriber.add(() => clearInterval(alive));
      subscriber.add(storage.committed$.subscribe(() => subscriber.next()));
    });
  }

  wall(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  view(): View {
    return this.storage;
  }

  async commit(prepare: (view: View) => Batch | undefined): Promise<void> {
    this.storage.commit(prepare);
  }

  async compact(): Promise<void> {
    this.storage.compact();
  }

  async close(): Promise<void> {
    this.closed();
  }
}
