/** A row: one figure of a bench, with what it must at least be and what it should be. */

export interface Row {
  readonly what: string;
  /** One for each round; more than one where the figure has a spread. */
  readonly values: readonly number[];
  /** `x` for a ratio. */
  readonly unit: 'x' | 'µs' | 'ms' | 'kB' | '';
  /** Left out where the figure is told for its own sake. */
  readonly limit?: Limit;
  /** The absolute figures that a ratio was made of. */
  readonly detail?: string;
}

/** On which side of the floor the figure must lie, and of the aim should. */
export interface Limit {
  readonly side: 'least' | 'most';
  readonly floor: number;
  readonly aim?: number;
}

export function atLeast(floor: number, aim?: number): Limit {
  return { side: 'least', floor, ...(aim === undefined ? {} : { aim }) };
}

export function atMost(floor: number, aim?: number): Limit {
  return { side: 'most', floor, ...(aim === undefined ? {} : { aim }) };
}

/** Where the median of a row lies. */
export function verdict({ values, limit }: Row): 'BELOW FLOOR' | 'floor' | 'aim' | '' {
  if (limit === undefined) return '';
  const reached = (bound: number): boolean => (limit.side === 'least' ? median(values) >= bound : median(values) <= bound);
  if (!reached(limit.floor)) return 'BELOW FLOOR';
  return reached(limit.aim ?? limit.floor) ? 'aim' : 'floor';
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Round by round, since what disturbed one side of a round disturbed the other as well. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((value, round) => value / (theirs[round] ?? Number.NaN));
}
