/**
 * Arrivals: the order in which a store was told things, on whichever of its connections. Who awaits an answer hears of it
 * later than of an event behind it; by their places it knows which was first.
 */
export class Arrivals {
  private count = 0;

  /** The place of the last message. */
  get last(): number {
    return this.count;
  }

  /** The place of a message that has just come. */
  next(): number {
    return ++this.count;
  }
}
