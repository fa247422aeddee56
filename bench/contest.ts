/** A contest: the sides of a comparison, taken in turn in one run so that what disturbs one disturbs the other. */

/** Does a piece of the work and resolves with how many operations that were. */
export type Piece = () => Promise<number> | number;

export interface ContestOptions {
  /** Rounds that count; one more comes first, to warm up. 7 */
  readonly rounds?: number;
  /** Pieces that each side does in a round, the sides taking turns after each. 1 */
  readonly pieces?: number;
}

/** Operations a second of each side, for each round. */
export async function contest<Side extends string>(
  sides: Readonly<Record<Side, Piece>>,
  { rounds = 7, pieces = 1 }: ContestOptions = {},
): Promise<Record<Side, number[]>> {
  const names = Object.keys(sides) as Side[];
  const rates = Object.fromEntries(names.map(name => [name, []])) as unknown as Record<Side, number[]>;
  for (let round = 0; round <= rounds; round++) {
    const spent = new Map<Side, { operations: number; ms: number }>(names.map(name => [name, { operations: 0, ms: 0 }]));
    for (let piece = 0; piece < pieces; piece++) {
      // Nobody is always first.
      for (let turn = 0; turn < names.length; turn++) {
        const name = names[(turn + piece + round) % names.length] as Side;
        const sum = spent.get(name) as { operations: number; ms: number };
        const began = performance.now();
        sum.operations += await sides[name]();
        sum.ms += performance.now() - began;
      }
    }
    if (round === 0) continue;
    for (const [name, { operations, ms }] of spent) rates[name].push((operations / ms) * 1000);
  }
  return rates;
}

/** `work` for 0, 1, ... one after the other, each awaited, as a piece. */
export function inSequence(count: number, work: (i: number) => PromiseLike<unknown> | undefined): Piece {
  return async () => {
    for (let i = 0; i < count; i++) await work(i);
    return count;
  };
}

/** `width` calls that nobody waits for until all are made, `times` times over, as a piece. */
export function inFlight(width: number, times: number, work: (i: number) => unknown): Piece {
  return async () => {
    for (let time = 0; time < times; time++) {
      const calls: unknown[] = [];
      for (let i = 0; i < width; i++) calls.push(work(time * width + i));
      await Promise.all(calls);
    }
    return width * times;
  };
}

/** `count` calls by so many callers, each of whom awaits one before the next, as a piece. */
export function byWorkers(callers: number, count: number, work: (i: number) => PromiseLike<unknown> | undefined): Piece {
  return async () => {
    let next = 0;
    const caller = async (): Promise<void> => {
      while (next < count) await work(next++);
    };
    await Promise.all(Array.from({ length: callers }, caller));
    return count;
  };
}
