/** Events: what diff() and deltas() make of a driver's snapshots is the same on every backend. */
import { share } from 'rxjs';
import type { Snapshot } from '../snapshot.js';
import { deltas } from '../operators/deltas.js';
import { diff } from '../operators/diff.js';
import { text } from '../text.js';
import { order } from './contents.js';
import { Model, randomFrom } from './model.js';
import { proof, type Topic } from './topic.js';
import { until } from './waiting.js';

/** A tree change in one word: `+d/a=1`, `~d/a=1>2`, `-d/a=2`. */
function said(change: { type: string; key: string; entry?: Parameters<typeof text>[0]; previous?: Parameters<typeof text>[0] }): string {
  const { type, key, entry, previous } = change;
  if (type === 'added') return `+${key}=${text(entry)}`;
  if (type === 'deleted') return `-${key}=${text(previous)}`;
  return `~${key}=${text(previous)}>${text(entry)}`;
}

/** The events between two states of a model. */
function between(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const events: string[] = [];
  for (const key of [...new Set([...before.keys(), ...after.keys()])].sort(order)) {
    const [was, is] = [before.get(key), after.get(key)];
    if (was === is) continue;
    if (was === undefined) events.push(`+${key}=${is}`);
    else if (is === undefined) events.push(`-${key}=${was}`);
    else events.push(`~${key}=${was}>${is}`);
  }
  return events;
}

function mapOf(snapshot: Snapshot | undefined): Map<string, string> {
  return new Map(Array.from(snapshot ?? [], entry => [entry.key, text(entry)]));
}

export const diffing: Topic = {
  name: 'events',
  proofs: [
    proof('added, modified and deleted come with the entries before and after', async ({ writer, reader, record, expect }) => {
      await writer.put('ev/old', '0');
      const events = record(reader.watchTree$('ev').pipe(diff()));
      const initial = await events.first('the initial event');
      expect([said(initial), initial.initial]).toEqual(['+ev/old=0', true]);
      await writer.put('ev/new', '1');
      expect(said(await events.first('the addition'))).toBe('+ev/new=1');
      await writer.put('ev/new', '2');
      const modified = await events.first('the modification');
      expect([said(modified), modified.initial]).toEqual(['~ev/new=1>2', false]);
      await writer.delete('ev/old');
      expect(said(await events.first('the deletion'))).toBe('-ev/old=0');
      expect(events.values.length).toBe(4);
    }),

    proof('the first batch of deltas() comes even if empty, and means synced', async ({ writer, reader, record, expect }) => {
      const batches = record(reader.watchTree$('sync').pipe(deltas()));
      const first = await batches.first('the empty first batch');
      expect([first.changes, first.initial]).toEqual([[], true]);
      await writer.put('sync/a', '1');
      const second = await batches.first('the second batch');
      expect([second.changes.map(said), second.initial]).toEqual([['+sync/a=1'], false]);
    }),

    proof('guarantee 6: an equal write is no modified event', async ({ writer, reader, record, expect }) => {
      await writer.put('eq/a', '1');
      const events = record(reader.watchTree$('eq').pipe(diff()));
      await events.first('the initial event');
      await writer.put('eq/a', '1');
      const entry = await reader.get('eq/a');
      await writer.atomicPut('eq/a', '1', entry);
      await writer.put('eq/b', 'end');
      await events.next(change => change.key === 'eq/b', 'the event after the equal writes');
      expect(events.values.map(said)).toEqual(['+eq/a=1', '+eq/b=end']);
    }),

    proof('guarantee 7: the events of a batch come in key order', async ({ writer, reader, record, limit, expect }) => {
      const batches = record(reader.watchTree$('kord').pipe(deltas()));
      await batches.first('the empty first batch');
      const names = Array.from({ length: 40 }, (_, i) => `kord/${(i * 17) % 40}/${i % 3 === 0 ? '😀' : '\uffff'}`);
      await Promise.all(names.map(async name => writer.put(name, '1')));
      await until(() => batches.values.flatMap(batch => batch.changes).length === 40, 'all forty events', limit);
      for (const { changes } of batches.values) {
        const keys = changes.map(change => change.key);
        expect(keys).toEqual([...keys].sort(order));
      }
      const revisions = batches.values.map(batch => batch.revision);
      for (let i = 1; i < revisions.length; i++) expect(revisions[i] as bigint).toBeGreaterThanOrEqual(revisions[i - 1] as bigint);
    }),

    proof(
      'guarantee 7: the events of a slow history are those of a model, on every backend',
      async ({ writer, reader, record, expect }) => {
        const events = record(reader.watchTree$('slow').pipe(diff()));
        const model = new Model();
        const random = randomFrom(11);
        const expected: string[] = [];
        for (let i = 0; i < 60; i++) {
          const before = new Map(model.pairs);
          await model.step(writer, 'slow', random);
          const now = between(before, model.pairs);
          expected.push(...now);
          // The next step waits for the events of this one, so that nothing is coalesced.
          if (now.length > 0) await events.next(change => said(change) === now.at(-1), `the event ${now.at(-1)}`);
        }
        expect(events.values.map(said)).toEqual(expected);
      },
    ),

    proof('the events of a storm add up to the state the store ends in', async ({ writer, reader, record, limit, expect }) => {
      const snapshots$ = reader.watchTree$('sum').pipe(share());
      const snapshots = record(snapshots$);
      const events = record(snapshots$.pipe(diff()));
      const model = new Model();
      const random = randomFrom(99);
      await Promise.all(Array.from({ length: 200 }, async () => model.step(writer, 'sum', random)));
      const folded = (): Map<string, string> => {
        const pairs = new Map<string, string>();
        for (const change of events.values) {
          if (change.type === 'deleted') pairs.delete(change.key);
          else pairs.set(change.key, text(change.entry));
        }
        return pairs;
      };
      const listed = mapOf(await reader.list('sum'));
      await until(() => between(folded(), listed).length === 0, 'the events to add up to what list() holds', limit);
      expect(between(mapOf(snapshots.last), listed)).toEqual([]);
    }),
  ],
};
