/** A model: a Map that takes the same steps as the store, and remembers every state it was in. */
import type { Store } from '../interface.js';
import { stateOf } from './contents.js';

/** Repeatable numbers in [0, 1), so that a failure comes again. */
export function randomFrom(seed: number): () => number {
  let x = seed >>> 0;
  return () => {
    x = (x * 1_664_525 + 1_013_904_223) >>> 0;
    return x / 4_294_967_296;
  };
}

export class Model {
  readonly pairs: Map<string, string> = new Map();
  /** Every state so far, in order, as {@link stateOf} writes it. */
  readonly history: string[] = [stateOf(new Map())];

  /** Takes one random step, in the store first: what a watcher sees is then at most one step ahead. */
  async step(store: Store, directory: string, random: () => number): Promise<void> {
    const pick = <T>(among: readonly T[]): T => among[Math.floor(random() * among.length)] as T;
    const key = `${directory}/${pick(['a', 'a/x', 'a/x/y', 'ab', 'b/c', 'b/d', 'c', '😀'])}`;
    const chance = random();
    if (chance < 0.6) {
      const value = pick(['1', '2', '3', '']);
      this.pairs.set(key, value);
      this.remember();
      await store.put(key, value);
    } else if (chance < 0.9 || store.capabilities.atomic !== 'range') {
      this.pairs.delete(key);
      this.remember();
      await store.delete(key);
    } else {
      const prefix = `${directory}/${pick(['a', 'b'])}/`;
      for (const below of [...this.pairs.keys()]) if (below.startsWith(prefix)) this.pairs.delete(below);
      this.remember();
      await store.deleteTree(prefix);
    }
  }

  get state(): string {
    return stateOf(this.pairs);
  }

  private remember(): void {
    this.history.push(this.state);
  }
}

/**
 * Whether the states are among those of the history, in its order. Repeats of a state are allowed; so is
 * skipping. Returns the first state that does not fit, or undefined.
 */
export function strayIn(states: readonly string[], history: readonly string[]): string | undefined {
  let from = 0;
  for (const state of states) {
    const at = history.indexOf(state, from);
    if (at === -1) return state;
    from = at;
  }
  return undefined;
}
