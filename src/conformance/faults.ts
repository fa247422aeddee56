/** Faults: what watches and locks make of cuts, silent peers, restarts and compaction. */
import { diff } from '../operators/diff.js';
import { retryTransient } from '../operators/retry-transient.js';
import { text } from '../text.js';
import { afflicted, lostTouch, patient, slack } from './affliction.js';
import { pairsOf } from './contents.js';
import { onTwo, proof, type Topic } from './topic.js';
import { quietFor, until } from './waiting.js';

export const faults: Topic = {
  name: 'faults',
  proofs: [
    proof('guarantee 3: a cut shorter than silence is mended without an error', afflicted('cut'), async context => {
      const { harness, reading, writer, reader, silence, record, expect } = context;
      await writer.put('short/a', '1');
      const tree = record(reader.watchTree$('short'));
      const key = record(reader.watch$('short/a'));
      await tree.first('the current state');
      await key.first('the current state');
      await harness.cut?.(reading.driver);
      await writer.put('short/a', '2');
      await writer.put('short/b', '1');
      await quietFor(silence / 10, 'the cut lasts');
      await harness.heal?.(reading.driver);
      await tree.next(snapshot => snapshot.size === 2 && text(snapshot.get('short/a')) === '2', 'what was written during the cut');
      await key.next(entry => text(entry) === '2', 'the change of the key');
      await writer.delete('short/b');
      await tree.next(snapshot => snapshot.size === 1, 'a change after the cut');
      expect(tree.ended || key.ended).toBe(false);
    }),

    ...(['cut', 'hang'] as const).map(fault =>
      proof(
        `guarantee 3: a ${fault === 'cut' ? 'cut' : 'peer that hangs'} for longer than silence is an error, transient, and in time`,
        afflicted(fault),
        async context => {
          const { harness, reading, writer, reader, silence, record, expect } = context;
          await writer.put('long/a', '1');
          const tree = record(reader.watchTree$('long'));
          const leader = record(reader.leader$('long'));
          await tree.first('the current state');
          await leader.first('that nobody leads');
          const began = performance.now();
          await harness[fault]?.(reading.driver);
          const error = await tree.fails(lostTouch, 'the silence', silence + slack(context));
          expect(error.transient).toBe(true);
          expect((tree.endedAt ?? 0) - began).toBeLessThanOrEqual(silence + slack(context));
          // Who believes in a leader of before is misled as well.
          await leader.fails(lostTouch, 'the silence', silence + slack(context));
          expect((leader.endedAt ?? 0) - began).toBeLessThanOrEqual(silence + slack(context));
          await harness.heal?.(reading.driver);
          const again = record(reader.watchTree$('long').pipe(patient()));
          expect(pairsOf(await again.first('the current state, first, after the cut'))).toEqual({ 'long/a': '1' });
        },
      ),
    ),

    proof('guarantee 3: with retryTransient() and diff() an outage is just its net changes', afflicted('cut'), async context => {
      const { harness, reading, writer, reader, silence, record, limit, expect } = context;
      for (const key of ['same', 'changed', 'deleted', 'recreated']) await writer.put(`net/${key}`, '1');
      let errors = 0;
      const events = record(reader.watchTree$('net').pipe(retryTransient({ first: 30, most: 200, onRetry: () => errors++ }), diff()));
      await until(() => events.values.length === 4, 'the initial events', limit);
      await harness.cut?.(reading.driver);
      await writer.put('net/changed', 'x');
      await writer.put('net/changed', '2');
      await writer.delete('net/deleted');
      await writer.delete('net/recreated');
      await writer.put('net/recreated', '1');
      await writer.put('net/added', '1');
      await until(() => errors > 0, 'the outage to be an error', silence + slack(context) + limit);
      await harness.heal?.(reading.driver);
      await writer.put('net/last', 'x');
      await events.next(change => change.key === 'net/last', 'the event after the outage');
      const told = events.values.slice(4).map(({ type, key, initial }) => [type, key, initial]);
      const net = told.filter(([, key]) => key !== 'net/last');
      expect(net).toEqual([
        ['added', 'net/added', false],
        ['modified', 'net/changed', false],
        ['deleted', 'net/deleted', false],
      ]);
    }),

    proof('compaction during a cut is no error of its own: the state after it is right', afflicted('cut', 'compact'), async context => {
      const { harness, reading, writer, reader, silence, record, expect } = context;
      for (let i = 0; i < 10; i++) await writer.put(`compact/${i}`, '1');
      const tree = record(reader.watchTree$('compact'));
      await tree.next(snapshot => snapshot.size === 10, 'the current state');
      await harness.cut?.(reading.driver);
      for (let i = 0; i < 10; i++) await (i % 2 === 0 ? writer.delete(`compact/${i}`) : writer.put(`compact/${i}`, '2'));
      await harness.compact?.();
      await quietFor(silence / 20, 'the cut lasts');
      await harness.heal?.(reading.driver);
      const after = await tree.next(snapshot => snapshot.size === 5, 'the state after the compaction');
      expect(new Set(Object.values(pairsOf(after)))).toEqual(new Set(['2']));
      await writer.put('compact/new', 'x');
      await tree.next(snapshot => snapshot.has('compact/new'), 'a change after the compaction');
      expect(tree.ended).toBe(false);
    }),

    proof('guarantee 1: a storm with cuts in it ends in the state the store ends in', afflicted('cut'), async context => {
      const { harness, reading, writer, reader, record, limit } = context;
      const tree = record(reader.watchTree$('torn').pipe(patient()));
      await tree.first('the empty snapshot');
      for (let round = 0; round < 5; round++) {
        await harness.cut?.(reading.driver);
        for (let i = 0; i < 20; i++) await (i % 4 === 3 ? writer.delete(`torn/${i - 1}`) : writer.put(`torn/${i}`, `${round}`));
        await harness.heal?.(reading.driver);
        for (let i = 0; i < 20; i++) await writer.put(`torn/${i % 7}`, `${round}/${i}`);
      }
      const wanted = JSON.stringify(pairsOf(await writer.list('torn')));
      await until(() => JSON.stringify(pairsOf(tree.last ?? [])) === wanted, 'the watch to hold what list() holds', limit * 2);
    }),

    proof('a restart of the server is a cut like any other', { ways: onTwo, faulty: true, hooks: ['restart'] }, async context => {
      const { harness, writer, reader, record, limit, expect } = context;
      await writer.put('restart/a', '1');
      const tree = record(reader.watchTree$('restart').pipe(patient()));
      await tree.first('the current state');
      await harness.restart?.();
      const wrote = async (): Promise<boolean> =>
        writer.put('restart/b', '2').then(
          () => true,
          () => false,
        );
      await until(wrote, 'a write after the restart', limit * 4);
      await tree.next(snapshot => text(snapshot.get('restart/b')) === '2', 'the change after the restart');
      expect(pairsOf(await reader.list('restart'))).toEqual({ 'restart/a': '1', 'restart/b': '2' });
    }),

    proof('guarantee 4: who unsubscribes from the queue while cut off is not in the way for ever', afflicted('cut'), async context => {
      const { harness, reading, writer, reader, connect, record, ttl, limit, capabilities } = context;
      const lockTtl = Math.max(ttl, 1000);
      const holder = await writer.lock('orphan');
      const waiter = record(reader.lock$('orphan', { ttl: lockTtl }));
      await reader.get('warm');
      await quietFor(50, 'the waiter is to stand in the queue');
      await harness.cut?.(reading.driver);
      waiter.unsubscribe();
      const third = record((await connect()).store.lock$('orphan'));
      await holder.release();
      await until(() => third.values.length === 1, 'the next in the queue to get the lock', lockTtl * 2 + capabilities.ttlLag + limit);
    }),
  ],
};
