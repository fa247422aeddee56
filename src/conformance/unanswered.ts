/** Unanswered calls: what callers are told while the connection is cut or the peer hangs. */
import { text } from '../text.js';
import { afflicted, lostTouch, slack } from './affliction.js';
import { proof, type Topic } from './topic.js';
import { quietFor, refused, settles, until } from './waiting.js';

export const unanswered: Topic = {
  name: 'unanswered',
  proofs: [
    proof('calls reject as transient while cut off, in time, and are answered again afterwards', afflicted('cut'), async context => {
      const { harness, reading, writer, reader, silence, limit, expect } = context;
      const entry = await writer.put('calls', '1');
      expect(await reader.get('calls')).toEqual(entry);
      await harness.cut?.(reading.driver);
      for (const call of [() => reader.get('calls'), () => reader.list(''), () => reader.put('calls', 'x'), () => reader.delete('calls')]) {
        const error = await settles(refused(call, lostTouch, 'a call while cut off'), 'a call to reject in time', silence + slack(context));
        expect(error.transient).toBe(true);
      }
      await harness.heal?.(reading.driver);
      await until(async () => (await reader.get('calls').catch(() => undefined)) !== undefined, 'an answer after the cut', limit);
      const current = await reader.get('calls');
      expect(text(await reader.atomicPut('calls', '2', current))).toBe('2');
    }),

    proof('a write whose answer never came says outcome unknown, and is not sent again', afflicted('hang'), async context => {
      const { harness, reading, writer, reader, silence, limit, expect } = context;
      const before = await writer.put('unknown', '1');
      await reader.get('unknown');
      await harness.hang?.(reading.driver);
      const writes = [
        () => reader.put('unknown', '2'),
        () => reader.atomicPut('unknown', '2', before),
        () => reader.delete('unknown/none'),
      ];
      const writing = writes.map(call => refused(call, lostTouch, 'a write to a peer that hangs'));
      const read = refused(() => reader.get('unknown'), lostTouch, 'a read from a peer that hangs');
      for (const error of await settles(Promise.all(writing), 'the writes to reject in time', silence + slack(context))) {
        expect(error.outcome).toBe('unknown');
      }
      expect((await settles(read, 'the read to reject', silence)).outcome).toBeUndefined();
      await harness.heal?.(reading.driver);
      await until(async () => (await reader.get('unknown').catch(() => undefined)) !== undefined, 'an answer afterwards', limit);
      const after = await writer.put('unknown', 'last');
      await quietFor(100, 'no write of before must come late, once another was acknowledged');
      expect(await writer.get('unknown')).toEqual(after);
    }),

    proof('a signal ends a call to a peer that hangs, at once', afflicted('hang'), async context => {
      const { harness, reading, reader, expect } = context;
      await reader.get('k');
      await harness.hang?.(reading.driver);
      const controller = new AbortController();
      const read = refused(() => reader.get('k', { signal: controller.signal, timeout: 60_000 }), 'aborted', 'an aborted read');
      const write = refused(() => reader.put('k', 'x', { signal: controller.signal, timeout: 60_000 }), 'aborted', 'an aborted write');
      await quietFor(20, 'both are underway');
      controller.abort();
      expect((await settles(read, 'the read', slack(context))).outcome).toBeUndefined();
      expect((await settles(write, 'the write', slack(context))).outcome).toBe('unknown');
    }),

    proof('status$ turns stale during a cut, with its error, and live again afterwards', afflicted('cut'), async context => {
      const { harness, reading, reader, record, limit } = context;
      const status = record(reader.status$);
      await reader.get('k');
      await status.next(({ state }) => state === 'live', 'live at first');
      await harness.cut?.(reading.driver);
      await refused(() => reader.get('k'), lostTouch, 'a call while cut off');
      await status.next(({ state, error }) => state === 'stale' && error?.transient === true, 'stale while cut off');
      await harness.heal?.(reading.driver);
      await until(
        async () =>
          reader.get('k').then(
            () => true,
            () => false,
          ),
        'an answer after the cut',
        limit,
      );
      await status.next(({ state }) => state === 'live', 'live again');
    }),

    proof('health() of a store that is cut off resolves, and says so', afflicted('cut'), async context => {
      const { harness, reading, reader, silence, expect } = context;
      expect((await reader.health()).ok).toBe(true);
      await harness.cut?.(reading.driver);
      const health = await settles(reader.health(), 'health() while cut off', silence + slack(context));
      expect([health.ok, health.error?.transient]).toEqual([false, true]);
    }),

    ...(['cut', 'hang'] as const).map(fault =>
      proof(
        `guarantee 12: close() settles in time though the connection is ${fault === 'cut' ? 'cut' : 'hanging'}`,
        afflicted(fault),
        async context => {
          const { harness, connect, record, silence } = context;
          const { store, whole, driver } = await connect();
          const tree = record(store.watchTree$(''));
          await tree.first('the current state');
          await store.lock('held');
          await harness[fault]?.(driver);
          await settles(whole.close(), 'close()', silence + slack(context) * 2);
          await tree.completes('the watch of a closed store');
        },
      ),
    ),
  ],
};
