/** Leaders: who leads now, and nobody who no longer does. */
import type { Leader } from '../interface.js';
import { proof, type Topic } from './topic.js';
import { quietFor } from './waiting.js';

function absent(leader: Leader | undefined): boolean {
  return leader === undefined;
}

export const leaders: Topic = {
  name: 'leaders',
  proofs: [
    proof('leader$ is undefined while nobody leads, then says id and fence', async ({ writer, reader, record, expect }) => {
      const seen = record(reader.leader$('office'));
      expect(await seen.first('nobody at first')).toBeUndefined();
      const campaign = record(writer.elect$('office', { id: 'node 1 / ü' }));
      const elected = await campaign.next(({ leading }) => leading, 'the election');
      const leader = await seen.next(now => now !== undefined, 'the leader');
      expect(leader?.id).toBe('node 1 / ü');
      expect(leader?.fence).toBe(elected.leading ? elected.fence : undefined);
      expect(seen.ended).toBe(false);
    }),

    proof('after a resignation nobody leads: no stale leader', async ({ writer, reader, record }) => {
      const seen = record(reader.leader$('office'));
      for (const id of ['a', 'b', 'a']) {
        const campaign = record(writer.elect$('office', { id }));
        await seen.next(leader => leader?.id === id, `${id} to lead`);
        campaign.unsubscribe();
        await seen.next(absent, `nobody after ${id} resigned`);
      }
    }),

    proof('a take-over is told, and who comes late hears the leader of now', async ({ writer, reader, record, expect }) => {
      const seen = record(reader.leader$('office'));
      const first = record(writer.elect$('office', { id: 'first' }));
      const before = await seen.next(leader => leader?.id === 'first', 'the first leader');
      const second = record(reader.elect$('office', { id: 'second' }));
      await second.first('its first word');
      first.unsubscribe();
      const after = await seen.next(leader => leader?.id === 'second', 'the second leader');
      expect(after?.fence ?? 0n).toBeGreaterThan(before?.fence ?? 0n);
      const late = record(writer.leader$('office'));
      expect(await late.first('the leader of now')).toEqual(after);
    }),

    proof('a plain lock shows with its value as id', async ({ writer, reader, record, expect }) => {
      const lock = await writer.lock('job', { value: 'worker-7' });
      const seen = record(reader.leader$('job'));
      expect((await seen.next(leader => leader !== undefined, 'the holder'))?.id).toBe('worker-7');
      expect(seen.last?.fence).toBe(lock.fence);
      await lock.release();
      await seen.next(absent, 'nobody once the lock is released');
    }),

    proof('who waits is no leader', async ({ writer, reader, record, expect }) => {
      const lock = await writer.lock('queue', { value: 'holder' });
      const waiting = record(reader.lock$('queue', { value: 'waiter' }));
      const seen = record(reader.leader$('queue'));
      await seen.next(leader => leader?.id === 'holder', 'the holder');
      await quietFor(50, 'the waiter stands in the queue meanwhile');
      expect(seen.values.some(leader => leader?.id === 'waiter')).toBe(false);
      expect(waiting.values.length).toBe(0);
      await lock.release();
      await seen.next(leader => leader?.id === 'waiter', 'the waiter, once it has the lock');
    }),

    proof('a long name, and a view, have their leaders too', async ({ writer, reader, record }) => {
      const name = `team/${'n'.repeat(700)}`;
      const seen = record(reader.leader$(name));
      record(writer.at('team').elect$('n'.repeat(700), { id: 'me' }));
      await seen.next(leader => leader?.id === 'me', 'the leader of the long name');
    }),

    proof('leaders of different names are different', async ({ writer, reader, record, expect }) => {
      const outer = record(reader.leader$('a'));
      const inner = record(reader.leader$('a/b'));
      record(writer.elect$('a/b', { id: 'inner' }));
      await inner.next(leader => leader?.id === 'inner', 'the inner leader');
      expect(outer.values.every(leader => leader === undefined)).toBe(true);
    }),

    proof('a leader whose session the server ended is a leader no more', { hooks: ['expireSession'] }, async context => {
      const { harness, writing, writer, reader, connect, record } = context;
      const observer = context.way === 'on two connections' ? reader : (await connect()).store;
      const seen = record(observer.leader$('office'));
      record(writer.elect$('office', { id: 'doomed' }));
      await seen.next(leader => leader?.id === 'doomed', 'the leader');
      await harness.expireSession?.(writing.driver);
      await seen.next(absent, 'nobody after the expiry');
    }),
  ],
};
