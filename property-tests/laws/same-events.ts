/** One history, whatever tells it: the law of the same events. */
import { fc, test } from '@fast-check/vitest';
import { afterAll, beforeAll, expect } from 'vitest';
import { tap } from 'rxjs';
import { until } from '../../src/conformance/waiting.js';
import type { Store } from '../../src/interface.js';
import { diff } from '../../src/operators/diff.js';
import { createStore } from '../../src/store.js';
import type { Backend, Place, Runs } from '../backends.js';

/** What is written as one. */
type Writes = readonly ({ readonly put: string; readonly value: string } | { readonly delete: string } | { readonly deleteTree: string })[];

const key = fc.constantFrom('a', 'ab', 'b', 'a/b', 'a/b/c', 'a/c', 'a-b', '～', '😀', '\uffff');
const write = fc.oneof(
  { weight: 4, arbitrary: fc.record({ put: key, value: fc.constantFrom('', '1', '2') }) },
  { weight: 2, arbitrary: fc.record({ delete: key }) },
);
const writes: fc.Arbitrary<Writes> = fc.oneof(
  { weight: 5, arbitrary: fc.uniqueArray(write, { selector: one => ('put' in one ? one.put : one.delete), minLength: 1, maxLength: 5 }) },
  fc.record({ deleteTree: fc.constantFrom('a', 'a/b', '') }).map(one => [one]),
);
const list = fc.array(writes, { minLength: 1, maxLength: 10, size: 'max' });

interface Told {
  readonly type: string;
  readonly key: string;
  readonly bytes: readonly number[] | undefined;
  readonly before: readonly number[] | undefined;
  readonly initial: boolean;
}

/** What a watcher is told while a writer on another connection writes, each time after it was told of the last. */
async function told(writer: Store, watcher: Store, directory: string, before: Writes, after: readonly Writes[]): Promise<Told[][]> {
  await writer.deleteTree('');
  await writer.transaction({ ops: [...before] });
  const batches: Told[][] = [];
  let shown: string[] | undefined;
  const subscription = watcher
    .watchTree$(directory)
    .pipe(
      tap(snapshot => {
        shown = texts(snapshot);
        batches.push([]);
      }),
      diff(),
    )
    .subscribe(({ type, key: name, entry, previous, initial }) => {
      batches.at(-1)?.push({ type, key: name, bytes: entry && [...entry.value], before: previous && [...previous.value], initial });
    });
  const settled = async (): Promise<void> => {
    const wanted = texts(await writer.list(directory)).join();
    await until(() => shown?.join() === wanted, `the watch of ${writer.backend} to show "${wanted}", not "${shown?.join()}"`);
  };
  await settled();
  for (const ops of after) {
    await writer.transaction({ ops: [...ops] });
    await settled();
  }
  subscription.unsubscribe();
  return batches;
}

function texts(entries: Iterable<{ readonly key: string; readonly value: Uint8Array; readonly revision: bigint }>): string[] {
  return [...entries].map(({ key: name, value, revision }) => `${name}=${value.join('.')}@${revision}`);
}

/** What becomes of a key in one step has to be told in one batch, in key order. */
function inKeyOrder(batch: readonly Told[]): boolean {
  return batch.every(({ key: name }, i) => i === 0 || (batch[i - 1] as Told).key < name);
}

/** The same writes are told alike by all of these. */
export function sameEvents(backends: readonly Backend[], parameters: Runs = {}): void {
  const places: Place[] = [];
  const pairs: [writer: Store, watcher: Store][] = [];
  beforeAll(async () => {
    for (const { open } of backends) {
      const place = await open();
      places.push(place);
      // A watch that lingers would begin with what the last case left. Consul tells of a directory that goes with one above it
      // only when a query's wait is over, which is shorter the less silence is borne.
      pairs.push([createStore(place.connect('cross')), createStore(place.connect('cross'), { linger: 0, silence: 2000 })]);
    }
  });
  afterAll(async () => {
    await Promise.all(pairs.flat().map(store => store.close()));
    for (const place of places) await place.end();
  });

  test.prop([fc.constantFrom('', 'a', 'a/b'), writes, list], parameters)(
    'same events: one list of writes is told alike, type, key and bytes, batch by batch and in key order',
    async (directory, before, after) => {
      const all = await Promise.all(pairs.map(([writer, watcher]) => told(writer, watcher, directory, before, after)));
      const events = all.map(batches => batches.filter((batch, i) => i === 0 || batch.length > 0));

      expect(events[0]?.every(inKeyOrder)).toBe(true);
      for (const other of events.slice(1)) expect(other).toEqual(events[0]);
    },
  );
}
