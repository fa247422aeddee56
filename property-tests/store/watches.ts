/** Watches: what a subscriber of the store model has seen, and what it must have. */
import { type Subscription, tap } from 'rxjs';
import { expect } from 'vitest';
import { type Entry, sameBytes } from '../../src/entry.js';
import type { Store } from '../../src/interface.js';
import type { TreeChange } from '../../src/operators/change.js';
import { diff } from '../../src/operators/diff.js';
import { retryTransient } from '../../src/operators/retry-transient.js';
import { type Model, shown, type State, textOf } from './model.js';

export interface Watch {
  /** Of which store it is, and of what: those who look at the same share one feed. */
  readonly shares: string;
  /** Which state of the history it has shown last, at least. */
  shown(): number;
  /** Whether it shows the model's state by now. */
  settled(): boolean;
  /** All that it has shown were states of the model, in their order, and its events lead to the last one. */
  check(): void;
  /** Ends it; what it gives back checks later that nothing came any more. */
  stop(): () => void;
}

const soon = { first: 50, most: 200, random: (): number => 0.5 };

/** The name and range of a watch, for messages and for what the model shows of it. */
export interface Seen {
  readonly name: string;
  readonly shares: string;
  /** The first state of the history that it may show. */
  readonly from: number;
  readonly prefix: string;
  readonly strip: number;
  readonly depth?: number | undefined;
}

export function watchTree(store: Store, directory: string, seen: Seen, model: Model): Watch {
  const states: string[] = [];
  const revisions: bigint[] = [];
  const folded = new Map<string, Entry>();
  const subscription = store
    .watchTree$(directory, seen.depth === undefined ? {} : { depth: seen.depth })
    .pipe(
      retryTransient(soon),
      tap(snapshot => {
        states.push(textOf(snapshot));
        revisions.push(snapshot.revision);
      }),
      diff(),
    )
    .subscribe(change => take(folded, change));
  const wanted = (state: State): string => textOf(shown(state, seen.prefix, seen.strip, seen.depth));
  const watching = watch(seen, model, subscription, states, wanted);
  return {
    ...watching,
    check: () => {
      watching.check();
      expect(revisions, `the revisions of ${seen.name}`).toEqual([...revisions].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
      const last = shown(model.state, seen.prefix, seen.strip, seen.depth).map(({ key, value }) => [key, [...value]]);
      expect([...folded.values()].sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ key, value }) => [key, [...value]])).toEqual(last);
    },
  };
}

export function watchKey(store: Store, key: string, seen: Seen, model: Model): Watch {
  const states: string[] = [];
  const { prefix: whole } = seen;
  const subscription = store
    .watch$(key)
    .pipe(retryTransient(soon))
    .subscribe(entry => states.push(textOf(entry === undefined ? [] : [entry])));
  const wanted = (state: State): string => {
    const cell = state.get(whole);
    return textOf(cell === undefined ? [] : [{ ...cell.entry, key: whole.slice(seen.strip) }]);
  };
  return watch(seen, model, subscription, states, wanted);
}

function watch(
  { name, shares, from }: Seen,
  model: Model,
  subscription: Subscription,
  states: readonly string[],
  wanted: (state: State) => string,
): Watch {
  const history = (): string[] => model.history.slice(from).map(wanted);
  return {
    shares,
    shown: () => from + placesOf(states, history()).reduce((_, place) => Math.max(place, 0), 0),
    settled: () => states.at(-1) === wanted(model.state),
    check: () => checkOrder(name, history(), states),
    stop: () => {
      subscription.unsubscribe();
      const count = states.length;
      return () => expect(states.length, `what ${name} had shown when it was unsubscribed`).toBe(count);
    },
  };
}

/** Where in the history each state was, in order; -1 for one that it was not in after the one before. */
function placesOf(states: readonly string[], history: readonly string[]): number[] {
  let at = 0;
  return states.map(state => {
    const place = history.indexOf(state, at);
    if (place !== -1) at = place;
    return place;
  });
}

function checkOrder(name: string, history: readonly string[], states: readonly string[]): void {
  const places = placesOf(states, history);
  const wrong = places.indexOf(-1);
  if (wrong !== -1) {
    const before = history[places[wrong - 1] ?? 0];
    expect.fail(`${name} showed ${states[wrong]}, which the store was not in after ${before}; it was in ${history.join(', ')}`);
  }
  expect(states.at(-1), `the last of ${name}`).toBe(history.at(-1));
}

/** Applies one event, which must fit what was there. */
function take(folded: Map<string, Entry>, change: TreeChange): void {
  const { key, entry, previous, type } = change;
  const before = folded.get(key);
  const fits = type === 'added' ? before === undefined : before !== undefined && sameBytes(before.value, (previous as Entry).value);
  if (!fits) expect.fail(`${type} ${key} does not fit what was told before`);
  if (entry === undefined) folded.delete(key);
  else folded.set(key, entry);
}
