/** Histories: states that follow one another, and the many ways in which a feed may tell of them. */
import { fc } from '@fast-check/vitest';
import { type Observable, Subject } from 'rxjs';
import type { Change, Feed } from '../../src/driver.js';
import type { Entry } from '../../src/entry.js';
import { KvError } from '../../src/errors.js';

/** A state of a history: what the directory held at one revision. */
export interface State {
  readonly revision: bigint;
  readonly entries: ReadonlyMap<string, Entry>;
}

type Write = { readonly put: string; readonly byte: number } | { readonly delete: string };

/** How one message tells what has happened since the last one. */
export type Way =
  | 'reset'
  /** The net changes. */
  | 'patch'
  /** Every change since, also what a later one undid. */
  | 'log'
  /** The directories that the changed keys are in, whole. */
  | 'replace'
  /** Nothing has happened, or it is not told yet: a sign of life. */
  | 'alive'
  /** The last message once more. */
  | 'repeat'
  /** The feed fails; the next message is the first of a new one. */
  | 'error';

export interface Telling {
  readonly way: Way;
  /** States that go by untold until this message. */
  readonly steps: number;
}

const name = fc.constantFrom('a', 'b', 'a/x', 'a/y', 'a/x/1', 'ab/x', 'a-b', '～', '😀');
const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ put: name, byte: fc.integer({ min: 0, max: 2 }) }) },
  { weight: 2, arbitrary: name.map(gone => ({ delete: gone })) },
);
export const history: fc.Arbitrary<State[]> = fc
  .array(fc.array(write, { maxLength: 4, size: 'max' }), { minLength: 1, maxLength: 12, size: 'max' })
  .map(transactions => {
    const states: State[] = [];
    let entries = new Map<string, Entry>();
    for (const writes of transactions) {
      const revision = BigInt(states.length + 1);
      entries = new Map(entries);
      for (const one of writes) {
        if ('delete' in one) entries.delete(one.delete);
        else entries.set(one.put, { key: one.put, value: Uint8Array.of(one.byte), revision, created: revision, leased: false });
      }
      states.push({ revision, entries });
    }
    return states;
  });

const anyWay = fc.constantFrom<Way>('reset', 'patch', 'log', 'replace', 'alive', 'repeat', 'error');
const telling: fc.Arbitrary<Telling> = fc.record({ way: anyWay, steps: fc.integer({ min: 0, max: 2 }) });
export const tellings: fc.Arbitrary<Telling[]> = fc.array(telling, { maxLength: 24, size: 'max' });
const telling1 = fc.constantFrom<Way>('reset', 'patch', 'log', 'replace').map((way): Telling => ({ way, steps: 1 }));
/** Each state is told by itself, one way or another, with what changes nothing in between. */
export const faithful: fc.Arbitrary<[Telling, Way | undefined][]> = fc.array(
  fc.tuple(telling1, fc.constantFrom<Way | undefined>(undefined, undefined, 'alive', 'repeat', 'error')),
  {
    minLength: 12,
    maxLength: 12,
  },
);

/** Tells a history from one of its states on; whoever asks with `since` is told from there. */
export class Teller {
  private readonly states: readonly State[];
  /** The state that is to be told, or has been. */
  private at: number;
  private feed: Subject<Feed> = new Subject<Feed>();
  /** Where the listener is: undefined until it was told all. */
  private told: number | undefined;
  private resumed = false;
  private last: Feed | undefined;

  constructor(states: readonly State[], at: number) {
    this.states = states;
    this.at = at;
  }

  feed$(since?: bigint): Observable<Feed> {
    this.feed = new Subject<Feed>();
    this.told = since === undefined ? undefined : Number(since) - 1;
    this.resumed = since !== undefined;
    this.last = undefined;
    return this.feed;
  }

  tell({ way, steps }: Telling): void {
    if (way === 'error') return this.feed.error(new KvError('unavailable', 'cut'));
    if (way === 'repeat') return this.last === undefined ? undefined : this.feed.next(this.last);
    if (way !== 'alive') this.at = Math.min(this.at + steps, this.states.length - 1);
    const message = this.message(way);
    if (message.type !== 'mark') this.last = message;
    this.feed.next(message);
  }

  private message(way: Exclude<Way, 'error' | 'repeat'>): Feed {
    const { at, told, states } = this;
    const { entries, revision } = states[at] as State;
    if (way === 'alive') {
      // A mark with the revision of a state that was not told would be a lie.
      const current = told === at && (this.resumed || this.last !== undefined);
      return current ? { type: 'mark', revision } : { type: 'mark' };
    }
    this.told = at;
    this.resumed = false;
    // Copies: what a backend reads again is never the same object.
    if (way === 'reset' || told === undefined) return { type: 'reset', revision, entries: [...entries.values()].reverse().map(copy) };
    if (told === at) return { type: 'mark', revision };
    const changes =
      way === 'log'
        ? states.slice(told + 1, at + 1).flatMap((state, i) => net(states[told + i] as State, state))
        : net(states[told] as State, states[at] as State);
    return { type: 'patch', revision, changes: way === 'replace' ? replaced(changes, entries) : changes };
  }
}

function copy(one: Entry): Entry {
  return { ...one, value: one.value.slice() };
}

function net(before: State, after: State): Change[] {
  const gone = [...before.entries.keys()].filter(key => !after.entries.has(key)).map((key): Change => ({ delete: key }));
  const put = [...after.entries].filter(([key, one]) => before.entries.get(key) !== one).map(([, one]): Change => ({ put: copy(one) }));
  return [...gone, ...put];
}

/** The same said by whole directories: the one each changed key is in, the root for those at the top. */
function replaced(changes: readonly Change[], entries: ReadonlyMap<string, Entry>): Change[] {
  const prefixes = new Set(
    changes.map(change => {
      const key = 'put' in change ? change.put.key : 'delete' in change ? change.delete : change.replace;
      return key.slice(0, key.lastIndexOf('/') + 1);
    }),
  );
  return [...prefixes].map(prefix => ({
    replace: prefix,
    entries: [...entries.values()].filter(({ key }) => key.startsWith(prefix)).map(copy),
  }));
}
