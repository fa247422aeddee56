import { fc, test } from '@fast-check/vitest';
import { retry, Subject, tap } from 'rxjs';
import { describe, expect } from 'vitest';
import type { Feed } from '../src/driver.js';
import type { Entry } from '../src/entry.js';
import type { TreeChange } from '../src/operators/change.js';
import { diff } from '../src/operators/diff.js';
import { reflect$ } from '../src/reflect.js';
import type { Snapshot } from '../src/snapshot.js';
import { faithful, history, type State, Teller, type Telling, tellings } from './reflect/history.js';

interface Reflected {
  /** By subscription: a new one after each error. */
  readonly subscriptions: Snapshot[][];
  readonly events: TreeChange[];
}

/** What came of telling a history that way, and then its end. */
function reflected(states: readonly State[], list: readonly Telling[], from = 0): Reflected {
  const teller = new Teller(states, from);
  const subscriptions: Snapshot[][] = [];
  const events: TreeChange[] = [];
  const source$ = reflect$('', since => {
    subscriptions.push([]);
    return teller.feed$(since);
  });
  const told = source$
    .pipe(
      retry(),
      tap(snapshot => subscriptions.at(-1)?.push(snapshot)),
      diff(),
    )
    .subscribe(change => events.push(change));
  for (const one of list) teller.tell(one);
  teller.tell({ way: 'reset', steps: states.length });
  told.unsubscribe();
  return { subscriptions, events };
}

function plain(entries: Iterable<Entry>): [string, number, bigint][] {
  return [...entries].map(({ key, value, revision }): [string, number, bigint] => [key, value[0] as number, revision]).sort(byKey);
}

function byKey([a]: readonly [string, ...unknown[]], [b]: readonly [string, ...unknown[]]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Which states of the history the snapshots are, in its order; undefined where they are not. */
function placesOf(snapshots: readonly Snapshot[], states: readonly State[]): number[] | undefined {
  const texts = states.map(({ entries }) => textOf(entries.values()));
  const places: number[] = [];
  for (const snapshot of snapshots) {
    const place = texts.indexOf(textOf(snapshot), places.at(-1) ?? 0);
    if (place === -1) return undefined;
    places.push(place);
  }
  return places;
}

function textOf(entries: Iterable<Entry>): string {
  return JSON.stringify(plain(entries).map(([key, byte, revision]) => [key, byte, Number(revision)]));
}

function fold(events: readonly TreeChange[]): [string, number][] {
  const map = new Map<string, number>();
  for (const { key, entry } of events) {
    if (entry === undefined) map.delete(key);
    else map.set(key, entry.value[0] as number);
  }
  return [...map].sort(byKey);
}

function bytesOf(entries: Iterable<Entry>): [string, number][] {
  return plain(entries).map(([key, byte]) => [key, byte]);
}

describe('reflect', () => {
  test.prop([history, tellings])('feed-blind: a history told in any way ends in its last state, which diff() folds to', (states, list) => {
    const { subscriptions, events } = reflected(states, list);
    const last = states.at(-1) as State;
    const told = subscriptions.flat();

    expect(plain(told.at(-1) as Snapshot)).toEqual(plain(last.entries.values()));
    expect(fold(events)).toEqual(bytesOf(last.entries.values()));
  });

  test.prop([history, tellings])('feed-blind: every snapshot is a state of the history, in its order', (states, list) => {
    const told = reflected(states, list).subscriptions.flat();

    expect(placesOf(told, states)).toBeDefined();
  });

  test.prop([history, tellings])(
    'news: within a subscription each snapshot differs from the one before, and no revision goes back',
    (states, list) => {
      for (const snapshots of reflected(states, list).subscriptions) {
        snapshots.forEach((snapshot, i) => {
          const before = snapshots[i - 1];
          if (before === undefined) return;
          expect(textOf(snapshot)).not.toBe(textOf(before));
          expect(snapshot.revision).toBeGreaterThanOrEqual(before.revision);
        });
      }
    },
  );

  test.prop([history, tellings])('kept: an entry that did not change is the same object, also after an error', (states, list) => {
    const told = reflected(states, list).subscriptions.flat();

    told.forEach((snapshot, i) => {
      const before = told[i - 1];
      for (const one of snapshot) {
        const was = before?.get(one.key);
        if (was?.revision === one.revision) expect(was).toBe(one);
      }
    });
  });

  test.prop([history, faithful])('feed-blind: told state by state, diff() says the same however that is done', (states, ways) => {
    const mixed = ways.flatMap(([one, noise]): Telling[] => (noise === undefined ? [one] : [one, { way: noise, steps: 0 }]));
    const resets = ways.map((): Telling => ({ way: 'reset', steps: 1 }));

    expect(reflected(states, [{ way: 'reset', steps: 0 }, ...mixed]).events).toEqual(
      reflected(states, [{ way: 'reset', steps: 0 }, ...resets]).events,
    );
  });

  test.prop([history, tellings, tellings, fc.nat()])(
    'late: a subscriber that comes later ends as the first one, and its first snapshot holds what its diff() begins with',
    (states, list, others, at) => {
      const first = reflected(states, list);
      const late = reflected(states, others, at % states.length);

      expect(fold(late.events)).toEqual(fold(first.events));
      expect(placesOf(late.subscriptions.flat(), states.slice(at % states.length))).toBeDefined();
      const begun = late.subscriptions.flat()[0] as Snapshot;
      expect(late.events.filter(({ initial }) => initial).map(({ key }) => key)).toEqual([...begun.keys()]);
    },
  );

  test.prop([history, fc.array(fc.bigInt({ min: 1n, max: 9n }), { minLength: 12, maxLength: 12 })])(
    'revision: an index that goes back is no revision that goes back, and the state is told all the same',
    (states, revisions) => {
      const feed = new Subject<Feed>();
      const snapshots: Snapshot[] = [];
      reflect$('', () => feed).subscribe(snapshot => snapshots.push(snapshot));
      states.forEach(({ entries }, i) => {
        feed.next({ type: 'reset', entries: [...entries.values()], revision: revisions[i] as bigint });
        expect(plain(snapshots.at(-1) as Snapshot)).toEqual(plain(entries.values()));
      });
      const said = snapshots.map(({ revision }) => revision);

      expect(said).toEqual([...said].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
    },
  );
});
