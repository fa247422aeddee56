/**
 * Turns: writes of one key go one after the other, in the order of asking; others go side by side.
 *
 * Requests on one connection may overtake each other on the server.
 */

/** What one write touches. */
export interface Extent {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
}

interface Turn extends Extent {
  readonly done: Promise<void>;
}

export class Turns {
  /** The last write of each key. */
  private readonly keys: Map<string, Turn> = new Map();
  /** Writes under way of whole prefixes, which are few. */
  private readonly ranges: Set<Turn> = new Set();

  /** Whether nothing is under way, so that a write would run at once. */
  get none(): boolean {
    return this.keys.size === 0 && this.ranges.size === 0;
  }

  /** Runs `write` once all writes that were asked for before it, and touch what it touches, have settled. */
  take<T>(extent: Extent, write: () => Promise<T>): Promise<T> {
    const before = this.none ? [] : this.before(extent);
    const result = before.length === 0 ? write() : Promise.all(before).then(write);
    this.enter(extent, result);
    return result;
  }

  private before({ keys, prefixes }: Extent): Promise<void>[] {
    const before: Promise<void>[] = [];
    for (const key of keys) {
      const turn = this.keys.get(key);
      if (turn !== undefined) before.push(turn.done);
    }
    for (const turn of this.ranges) {
      if (turn.prefixes.some(prefix => overlaps(prefix, keys, prefixes))) before.push(turn.done);
    }
    for (const prefix of prefixes) for (const [key, turn] of this.keys) if (key.startsWith(prefix)) before.push(turn.done);
    return before;
  }

  private enter({ keys, prefixes }: Extent, result: Promise<unknown>): void {
    const leave = (): void => {
      for (const key of keys) if (this.keys.get(key) === turn) this.keys.delete(key);
      this.ranges.delete(turn);
    };
    const turn: Turn = { keys, prefixes, done: result.then(leave, leave) };
    for (const key of keys) this.keys.set(key, turn);
    if (prefixes.length > 0) this.ranges.add(turn);
  }
}

function overlaps(prefix: string, keys: readonly string[], prefixes: readonly string[]): boolean {
  return keys.some(key => key.startsWith(prefix)) || prefixes.some(other => other.startsWith(prefix) || prefix.startsWith(other));
}
