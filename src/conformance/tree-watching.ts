/** Watching a directory: whole snapshots, each a state the store was in. */
import { firstValueFrom } from 'rxjs';
import { text } from '../text.js';
import { holds, keysOf, order, pairsOf, stateOf } from './contents.js';
import { Model, randomFrom, strayIn } from './model.js';
import { consistentLists, onTwo, proof, type Topic } from './topic.js';
import { quietFor, until } from './waiting.js';

export const treeWatching: Topic = {
  name: 'tree-watching',
  proofs: [
    proof('a directory that does not exist yet is an empty snapshot, at once', async ({ writer, reader, record, expect }) => {
      const seen = record(reader.watchTree$('not/yet'));
      const first = await seen.first('the empty snapshot');
      expect(first.size).toBe(0);
      expect(first.directory).toBe('not/yet');
      await writer.put('not/yet/there', 'x');
      expect(pairsOf(await seen.next(({ size }) => size > 0, 'the first key'))).toEqual({ 'not/yet/there': 'x' });
    }),

    proof('changes at every depth are told, of values too', async ({ writer, reader, record, expect }) => {
      await writer.put('d/a', '1');
      const seen = record(reader.watchTree$('d'));
      expect(pairsOf(await seen.first('the current state'))).toEqual({ 'd/a': '1' });
      for (const key of ['d/a', 'd/b/c', 'd/b/c/d/e', 'd/b']) {
        for (const value of ['2', '3', '']) {
          const entry = await writer.put(key, value);
          const snapshot = await seen.next(now => text(now.get(key)) === value, `${key} to be ${value}`);
          expect(snapshot.get(key)).toEqual(entry);
        }
      }
      await writer.delete('d/b/c/d/e');
      await seen.next(now => !now.has('d/b/c/d/e'), 'the deletion of the deepest key');
      for (const key of ['d/a', 'd/b/c', 'd/b']) await writer.delete(key);
      await seen.next(({ size }) => size === 0, 'the deletion of the last key');
      await writer.put('d/again', 'x');
      await seen.next(({ size }) => size === 1, 'a key after the last was deleted');
      expect(seen.ended).toBe(false);
    }),

    proof('watchTree$("a") concerns a/... only: never a itself, never ab', async ({ writer, reader, record, expect }) => {
      const seen = record(reader.watchTree$('a'));
      await seen.first('the empty snapshot');
      for (const key of ['a', 'ab', 'ab/x', 'a-b/x', 'a.b', 'a0', 'A/x', 'x/a/y']) await writer.put(key, key);
      await writer.put('a/x', 'mine');
      await seen.next(({ size }) => size > 0, 'its own key');
      for (const snapshot of seen.values) expect(keysOf(snapshot).filter(key => key !== 'a/x')).toEqual([]);
    }),

    proof('snapshots are in key order, whatever the order of the writes', async ({ writer, reader, record, expect }) => {
      const seen = record(reader.watchTree$('o'));
      const names = ['o/\uffff', 'o/😀', 'o/b', 'o/a/z', 'o/a-b', 'o/a', 'o/é', 'o/10', 'o/9'];
      for (const name of names) await writer.put(name, '');
      const snapshot = await seen.next(now => holds(now, names), 'all of them');
      expect(keysOf(snapshot)).toEqual([...names].sort(order));
    }),

    proof('where nothing changed it is the very same object, and unchanged entries are too', async ({ writer, reader, record, expect }) => {
      for (const key of ['same/a', 'same/b', 'same/c']) await writer.put(key, '1');
      const seen = record(reader.watchTree$('same'));
      const first = await seen.first('the current state');
      const late = await firstValueFrom(reader.watchTree$('same'));
      expect(late === first).toBe(true);
      await writer.put('beside', 'x');
      await writer.put('same/b', '2');
      const second = await seen.next(now => text(now.get('same/b')) === '2', 'the change');
      expect(second.get('same/a') === first.get('same/a')).toBe(true);
      expect(second.get('same/c') === first.get('same/c')).toBe(true);
      expect(text(first.get('same/b'))).toBe('1');
      expect(new Set(seen.values).size).toBe(seen.values.length);
    }),

    proof('depth bounds what is seen, and what wakes', async ({ writer, reader, record, expect }) => {
      for (const key of ['t/1', 't/1/2', 't/1/2/3']) await writer.put(key, 'x');
      const shallow = record(reader.watchTree$('t', { depth: 1 }));
      const middle = record(reader.watchTree$('t', { depth: 2 }));
      expect(keysOf(await shallow.first('the first level'))).toEqual(['t/1']);
      expect(keysOf(await middle.first('two levels'))).toEqual(['t/1', 't/1/2']);
      await writer.put('t/1/2/3', 'y');
      await writer.put('t/1/b/c', 'y');
      await writer.put('t/1/2', 'y');
      await middle.next(now => text(now.get('t/1/2')) === 'y', 'the change on the second level');
      await writer.put('t/9', 'z');
      expect(keysOf(await shallow.next(now => now.has('t/9'), 'the change on the first level'))).toEqual(['t/1', 't/9']);
      expect(shallow.values.length).toBe(2);
    }),

    proof(
      'guarantee 1: whoever subscribes during a storm ends in the state the store ends in',
      async ({ writer, reader, record, limit, expect }) => {
        const model = new Model();
        const random = randomFrom(7);
        const recordings = [record(reader.watchTree$('storm'))];
        for (let i = 0; i < 250; i++) {
          if (i % 12 === 5) recordings.push(record(reader.watchTree$('storm')));
          await model.step(writer, 'storm', random);
        }
        const ended = (): boolean => recordings.every(({ last }) => last !== undefined && stateOf(last) === model.state);
        await until(ended, 'every subscriber to see the end of the storm', limit);
        expect(stateOf(await reader.list('storm'))).toBe(model.state);
      },
    ),

    proof('guarantee 2: every snapshot of a storm is a state the store was in, in order', { capable: consistentLists }, async context => {
      const { writer, reader, record, limit, expect } = context;
      const model = new Model();
      const random = randomFrom(42);
      const recordings = [record(reader.watchTree$('states'))];
      for (let i = 0; i < 250; i++) {
        if (i % 25 === 5) recordings.push(record(reader.watchTree$('states')));
        await model.step(writer, 'states', random);
      }
      await until(() => recordings.every(({ last }) => last !== undefined && stateOf(last) === model.state), 'the end of the storm', limit);
      for (const { values } of recordings) {
        expect(strayIn(values.map(stateOf), model.history)).toBeUndefined();
        const revisions = values.map(snapshot => snapshot.revision);
        for (let i = 1; i < revisions.length; i++) expect(revisions[i] as bigint).toBeGreaterThanOrEqual(revisions[i - 1] as bigint);
      }
    }),

    proof('guarantee 1: two thousand creations and deletions in a loop lose nothing', { ways: onTwo }, async context => {
      const { writer, reader, record, limit, expect } = context;
      const seen = record(reader.watchTree$('loop'));
      await seen.first('the empty snapshot');
      for (let i = 0; i < 1000; i++) {
        const key = `loop/${i % 5}`;
        await Promise.all([writer.put(key, String(i)), writer.delete(key)]);
      }
      await writer.put('loop/kept', 'x');
      const wanted = stateOf(await reader.list('loop'));
      await until(() => seen.last !== undefined && stateOf(seen.last) === wanted, 'the watch to hold what list() holds', limit);
      expect(stateOf(await writer.list('loop'))).toBe(wanted);
    }),

    proof('guarantee 1: a storm of keys that expire ends in the state the store ends in', { ways: onTwo }, async context => {
      const { writer, reader, record, ttl, capabilities, limit } = context;
      const seen = record(reader.watchTree$('expiring'));
      await seen.first('the empty snapshot');
      for (let i = 0; i < 60; i++) {
        const key = `expiring/${i % 9}`;
        if (i % 4 === 3) await writer.delete(key);
        else await writer.put(key, String(i), i % 3 === 0 ? {} : { ttl });
      }
      const ended = async (): Promise<boolean> => [...(await reader.list('expiring'))].every(entry => !entry.leased);
      await until(ended, 'every ttl to have passed', ttl + capabilities.ttlLag + limit);
      const wanted = stateOf(await reader.list('expiring'));
      await until(() => seen.last !== undefined && stateOf(seen.last) === wanted, 'the watch to hold what list() holds', limit);
    }),

    proof('fifty watches of different directories each hear their own', async ({ writer, reader, record, expect }) => {
      const names = Array.from({ length: 50 }, (_, i) => `many/${i}`);
      const recordings = names.map(name => record(reader.watchTree$(name)));
      for (const recording of recordings) await recording.first('the empty snapshot');
      await Promise.all(names.map(async name => writer.put(`${name}/k`, name)));
      for (const [i, name] of names.entries()) {
        const snapshot = await recordings[i]?.next(({ size }) => size > 0, `the key of ${name}`);
        expect(pairsOf(snapshot ?? [])).toEqual({ [`${name}/k`]: name });
      }
    }),

    proof('the root shows every key, and no record of ours', async ({ writer, reader, record, expect }) => {
      const seen = record(reader.watchTree$(''));
      await seen.first('the empty snapshot');
      const lock = await writer.lock('quiet');
      await lock.release();
      await writer.put('a', 'x');
      await writer.put('b/c', 'x');
      await seen.next(now => holds(now, ['a', 'b/c']), 'both keys');
      for (const snapshot of seen.values) expect(keysOf(snapshot).filter(key => !['a', 'b/c'].includes(key))).toEqual([]);
    }),

    proof('guarantee 4: after unsubscribing nothing more is emitted', async ({ writer, reader, record, expect }) => {
      const gone = record(reader.watchTree$('end'));
      const stays = record(reader.watchTree$('end'));
      await gone.first('the empty snapshot');
      await stays.first('the empty snapshot');
      gone.unsubscribe();
      await writer.put('end/a', 'x');
      await stays.next(({ size }) => size === 1, 'the change');
      await quietFor(20, 'the unsubscribed must hear no more');
      expect(gone.values.length).toBe(1);
    }),

    proof('guarantee 9: subscribers, depths and views of a directory are one watch', { hooks: ['serverWatches'] }, async context => {
      const { harness, writer, reader, reading, record, limit, expect } = context;
      const baseline = (await harness.serverWatches?.(reading.driver)) ?? 0;
      const recordings = [
        record(reader.watchTree$('shared/dir')),
        record(reader.watchTree$('/shared/dir/')),
        record(reader.watchTree$('shared/dir', { depth: 1 })),
        record(reader.watchTree$('shared/dir', { depth: 2 })),
        record(reader.at('shared').watchTree$('dir')),
        record(reader.at('shared/dir').watchTree$('')),
      ];
      for (const recording of recordings) await recording.first('the current state');
      await until(async () => (await harness.serverWatches?.(reading.driver)) === baseline + 1, 'one watch for all of them', limit);
      await writer.put('shared/dir/k', 'x');
      for (const recording of recordings) await recording.next(({ size }) => size === 1, 'the change, for each of them');
      for (const recording of recordings.slice(1)) recording.unsubscribe();
      expect(await harness.serverWatches?.(reading.driver)).toBe(baseline + 1);
      recordings[0]?.unsubscribe();
      await until(
        async () => (await harness.serverWatches?.(reading.driver)) === baseline,
        'guarantee 4: the watch to be given back',
        limit,
      );
    }),
  ],
};
