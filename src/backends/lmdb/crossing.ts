/**
 * The crossing of those who open a folder and those who write to it: never both at once.
 *
 * LMDB as the package lmdb has it (3.5.6, `mdb_env_open2` in its mdb.c) sets the number of the last transaction, which
 * all processes share, to the one that it read from the file a moment before. A commit in between is undone, although
 * it was acknowledged, or pages are used twice (MDB_BAD_TXN). Hence each says what it is at before it looks for the
 * other, so that one of the two sees it; who writes gives way. A process that is stopped commits nothing meanwhile.
 */
import { randomUUID } from 'node:crypto';
import { delay } from '../../delay.js';
import { KvError } from '../../errors.js';
import { translated } from './errors.js';
import { Mark } from './mark.js';

/** ms between two looks. */
const pause = 1;
/** ms that a writer is waited for: it may be too busy to say that it has done. */
const patience = 2000;
/** ms after its last commit in which a writer does not say that it has done, for it may go on. */
const lull = 25;

export class Crossing {
  private readonly path: string;
  private readonly mark: Mark;
  private writing = 0;
  private leaving: NodeJS.Timeout | undefined;

  /** @param path  the folder, which is there by the first use */
  constructor(path: string) {
    this.path = path;
    this.mark = new Mark(path, randomUUID());
  }

  /** Opens while nobody writes. @throws KvError `unavailable` where a writer does not get done */
  async open<T>(work: () => Promise<T>): Promise<T> {
    const { mark } = this;
    mark.set('opening');
    try {
      const until = performance.now() + patience;
      for (let writers = mark.others('writing'); writers.length > 0; writers = mark.others('writing')) {
        if (performance.now() > until) throw this.blocked(writers);
        await delay(pause);
      }
      return await work();
    } finally {
      mark.set('idle');
    }
  }

  /** Writes while nobody opens: at once where nobody does. @throws KvError where the folder cannot be written to */
  async write<T>(work: () => Promise<T>): Promise<T> {
    if (!this.enter()) await this.entered();
    this.writing++;
    try {
      return await work();
    } finally {
      if (--this.writing === 0) this.leave();
    }
  }

  end(): void {
    clearTimeout(this.leaving);
    this.mark.remove();
  }

  private async entered(): Promise<void> {
    do await delay(pause);
    while (!this.enter());
  }

  private enter(): boolean {
    const { mark } = this;
    try {
      mark.set('writing');
      if (mark.others('opening').length === 0) return true;
      if (this.writing === 0) mark.set('idle');
      return false;
    } catch (error) {
      throw translated(error, this.path);
    }
  }

  /** One timer for many: where somebody writes by then, the next one does it. */
  private leave(): void {
    this.leaving ??= setTimeout(() => {
      this.leaving = undefined;
      try {
        if (this.writing === 0) this.mark.set('idle');
      } catch {
        // The folder was removed, and nobody else can be in it.
      }
    }, lull).unref();
  }

  private blocked([pid]: readonly number[]): KvError {
    return new KvError(
      'unavailable',
      `${this.path} cannot be opened while process ${pid} writes to it, and that does not get done: its event loop is blocked, or its disk`,
      { backend: 'lmdb' },
    );
  }
}
