/** Events: how long after the start of a write its watcher is told, several watchers in turn. */
import { clock } from './clock.js';
import { median } from './row.js';

/** Writes in a round, for each watcher. */
const writes = 200;

export interface Watcher {
  /** The key to write, which this watcher sees. */
  readonly key: (turn: number) => string;
  /** Resolves with the next event after the call. */
  readonly next: () => Promise<void>;
}

/** ms, p50 of each round; one write at a time, all by the same `put`. */
export async function eventLatencies<Side extends string>(
  watchers: Readonly<Record<Side, Watcher>>,
  put: (key: string, turn: number) => PromiseLike<unknown>,
  rounds: number,
): Promise<Record<Side, number[]>> {
  const sides = Object.entries(watchers) as [Side, Watcher][];
  const p50s = Object.fromEntries(sides.map(([side]) => [side, []])) as unknown as Record<Side, number[]>;
  let turn = 0;
  for (let round = 0; round <= rounds; round++) {
    const taken = new Map<Side, number[]>(sides.map(([side]) => [side, []]));
    for (let i = 0; i < writes; i++) {
      for (const [side, { key, next }] of sides) {
        turn++;
        const told = next();
        const began = clock();
        const written = put(key(turn), turn);
        await told;
        taken.get(side)?.push(clock() - began);
        await written;
      }
    }
    // The first round warms up.
    if (round > 0) for (const [side, list] of taken) p50s[side].push(median(list));
  }
  return p50s;
}

/** Tells one who waits of each event. */
export class Bell {
  private waiting: (() => void) | undefined;

  readonly ring = (): void => {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.();
  };

  readonly next = (): Promise<void> =>
    new Promise(resolve => {
      this.waiting = resolve;
    });
}
