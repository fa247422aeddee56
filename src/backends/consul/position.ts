/**
 * A position: up to which index a feed has heard, and whether without a gap.
 *
 * The rules are those of Consul's blocking queries, and one more: an answer before the wait is over that has the index of
 * before was given up by the server, as when a snapshot is restored, and holds what is no longer there.
 */

/** What an answer is: something new, nothing new, or a sign that something was missed. */
export type Sign = 'news' | 'rest' | 'gap';

/** Jitter makes a wait longer and never shorter, but for the clocks. */
const nearlyAll = 0.9;

export class Position {
  /** 0 where the next question is to be without one. */
  index = 0n;
  /** Whether equal indices mean equal bytes since the last whole answer. */
  trusted = false;
  /** Answers in a row that came too early. */
  early = 0;

  /** Everything there was was read. */
  at(index: bigint): void {
    this.index = index;
    this.trusted = true;
  }

  /**
   * Judges the answer of a query that blocked; where it is news the position is there.
   *
   * @param took  ms that it took
   * @param wait  ms that it was to block at most
   */
  judge(index: bigint, took: number, wait: number): Sign {
    const early = index === this.index && took < wait * nearlyAll;
    this.early = early ? this.early + 1 : 0;
    if (index < this.index || index < 1n || early) {
      this.restart();
      return 'gap';
    }
    if (index === this.index) return 'rest';
    this.index = index;
    return 'news';
  }

  /** The next question is without an index, and its answer is compared to the byte. */
  restart(): void {
    this.index = 0n;
    this.trusted = false;
  }
}
