/** The model: what a store holds, as a plain Map with the time at hand. */
import type { Entry } from '../../src/entry.js';

export interface Cell {
  /** As the store returned it from the write. */
  readonly entry: Entry;
  /** By Date.now(); Infinity where the key has no ttl. */
  readonly expires: number;
  /** The keepAlive$ that it lives by. */
  readonly session?: object;
}

export type State = ReadonlyMap<string, Cell>;

/** Which of a key's entries a compare-and-set is given. */
export type Previous = 'absent' | 'current' | 'stale';

export class Model {
  /** Each state that the store was in, in order. */
  readonly history: State[] = [new Map()];
  /** The highest revision that a write has returned. */
  revision = 0n;
  private readonly superseded: Map<string, Entry> = new Map();

  get state(): State {
    return this.history.at(-1) as State;
  }

  cell(key: string): Cell | undefined {
    return this.state.get(key);
  }

  /** What a caller would hand in as that; undefined for none. */
  previous(key: string, kind: Previous): Entry | undefined {
    if (kind === 'absent') return undefined;
    return kind === 'current' ? this.cell(key)?.entry : this.superseded.get(key);
  }

  below(prefix: string): string[] {
    return [...this.state.keys()].filter(key => key.startsWith(prefix));
  }

  /** One commit: undefined deletes. */
  commit(changes: ReadonlyMap<string, Cell | undefined>): void {
    const next = new Map(this.state);
    for (const [key, cell] of changes) {
      const before = next.get(key);
      if (before !== undefined) this.superseded.set(key, before.entry);
      if (cell === undefined) next.delete(key);
      else next.set(key, cell);
    }
    this.history.push(next);
  }

  /** Lets go what has expired until now: one state for each moment. */
  expire(now: number): void {
    const due = [...new Set([...this.state.values()].map(({ expires }) => expires))].filter(at => at <= now).sort((a, b) => a - b);
    for (const moment of due) {
      this.commit(new Map([...this.state].filter(([, { expires }]) => expires === moment).map(([key]) => [key, undefined])));
    }
  }

  /** Ends sessions: their keys go. */
  end(ended: (session: object) => boolean): void {
    const gone = [...this.state].filter(([, { session }]) => session !== undefined && ended(session));
    if (gone.length > 0) this.commit(new Map(gone.map(([key]) => [key, undefined])));
  }
}

/** The keys below a prefix down to a depth, with their bytes and what counts of the rest, as text to compare. */
export function textOf(entries: Iterable<Entry>): string {
  return JSON.stringify([...entries].map(({ key, value, revision, leased }) => [key, [...value], String(revision), leased]));
}

/** What a directory of that state shows, without the first `strip` characters of each key. */
export function shown(state: State, prefix: string, strip: number, depth: number = Infinity): Entry[] {
  return [...state.values()]
    .map(({ entry }) => entry)
    .filter(({ key }) => key.startsWith(prefix) && key.slice(prefix.length).split('/').length <= depth)
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(entry => ({ ...entry, key: entry.key.slice(strip) }));
}
