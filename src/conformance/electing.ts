/** Electing: one leader at a time, told when it begins and before it ends. */
import type { Leadership } from '../interface.js';
import { onTwo, proof, type Topic } from './topic.js';
import { quietFor, refused, settles, until } from './waiting.js';

function leads(leadership: Leadership): boolean {
  return leadership.leading;
}

export const electing: Topic = {
  name: 'electing',
  proofs: [
    proof('elect$ says false first, then true with fence and lock', async ({ writer, record, expect }) => {
      const campaign = record(writer.elect$('office', { id: 'me' }));
      expect(await campaign.first('the first word')).toEqual({ leading: false });
      const leadership = await campaign.first('the election');
      expect(leadership.leading).toBe(true);
      if (!leadership.leading) return;
      expect(leadership.fence).toBe(leadership.lock.fence);
      expect(leadership.lock.held).toBe(true);
      await quietFor(30, 'nothing more must be said while leading');
      expect([campaign.values.length, campaign.ended]).toEqual([2, false]);
    }),

    proof(
      'of many candidates one leads; when it leaves the next takes over, and its fence is higher',
      async ({ writer, reader, record, limit, expect }) => {
        const candidates = Array.from({ length: 5 }, (_, i) => record((i % 2 === 0 ? writer : reader).elect$('office', { id: `c${i}` })));
        let left = candidates;
        let fence = -1n;
        while (left.length > 0) {
          await until(() => left.some(({ last }) => last?.leading === true), 'somebody to lead', limit);
          await quietFor(10, 'a second leader must not show');
          const leaders = left.filter(({ last }) => last?.leading === true);
          expect(leaders.length).toBe(1);
          const last = leaders[0]?.last;
          if (last?.leading !== true) throw new Error('the leader has gone');
          expect(last.fence).toBeGreaterThan(fence);
          fence = last.fence;
          leaders[0]?.unsubscribe();
          expect(last.lock.held).toBe(false);
          left = left.filter(candidate => candidate !== leaders[0]);
        }
      },
    ),

    proof('a candidate that leaves before it is elected never leads', async ({ writer, reader, connect, record, expect }) => {
      const leader = record(writer.elect$('office', { id: 'first' }));
      await leader.next(leads, 'the first to lead');
      const second = record(reader.elect$('office', { id: 'second' }));
      await second.first('its first word');
      second.unsubscribe();
      leader.unsubscribe();
      const third = record((await connect()).store.elect$('office', { id: 'third' }));
      await third.next(leads, 'the third to lead');
      expect(second.values).toEqual([{ leading: false }]);
    }),

    proof('elect$ says false before it errors, and the lock is over before that', { hooks: ['expireSession'] }, async context => {
      const { harness, writing, writer, record, expect } = context;
      const atWord: boolean[] = [];
      const campaign = record(writer.elect$('office', { id: 'me' }));
      const elected = await campaign.next(leads, 'the election');
      if (elected.leading)
        elected.lock.signal.addEventListener('abort', () => atWord.push(campaign.values.length === 2 && !campaign.ended));
      await harness.expireSession?.(writing.driver);
      const error = await campaign.fails(['lock-lost', 'session-lost'], 'the loss');
      expect(error.transient).toBe(true);
      expect(campaign.values.map(({ leading }) => leading)).toEqual([false, true, false]);
      expect(atWord).toEqual([true]);
    }),

    proof('elect$ says false before it completes at close()', async ({ connect, record, limit, expect }) => {
      const { store, whole } = await connect();
      const campaign = record(store.elect$('office', { id: 'me' }));
      const elected = await campaign.next(leads, 'the election');
      const waiting = record(store.elect$('office', { id: 'too' }));
      await waiting.first('its first word');
      await settles(whole.close(), 'close()', limit);
      await campaign.completes('the campaign of a closed store');
      await waiting.completes('the wait of a closed store');
      expect(campaign.values.map(({ leading }) => leading)).toEqual([false, true, false]);
      expect(waiting.values.every(({ leading }) => !leading)).toBe(true);
      expect(elected.leading && elected.lock.held).toBe(false);
    }),

    proof('lock$ and elect$ share one name space', async ({ writer, reader, record, expect }) => {
      const lock = await writer.lock('shared');
      const campaign = record(reader.elect$('shared', { id: 'me' }));
      await campaign.first('its first word');
      await quietFor(30, 'the candidate must not lead while the lock is held');
      expect(campaign.values.length).toBe(1);
      await lock.release();
      await campaign.next(leads, 'the candidate to lead');
      await refused(() => writer.lock('shared', { wait: 0 }), 'conflict', 'the lock while somebody leads');
    }),

    proof('leadership outlives its ttl while subscribed', { ways: onTwo }, async ({ writer, reader, record, ttl, expect }) => {
      const campaign = record(writer.elect$('long', { id: 'me', ttl }));
      await campaign.next(leads, 'the election');
      await refused(() => reader.lock('long', { wait: Math.min(ttl * 2, 30_000) }), 'conflict', 'a wait of twice the ttl');
      expect(campaign.values.length).toBe(2);
    }),

    proof('a campaign without id, or with a ttl that is none, is invalid', async ({ writer, record }) => {
      for (const options of [{}, { id: 42 }, { id: 'me', ttl: 0 }, { id: 'me', ttl: -1 }, { id: 'me', ttl: Number.NaN }]) {
        const campaign = record(writer.elect$('office', options as never));
        await campaign.fails('invalid', `a campaign with ${JSON.stringify(options)}`);
      }
    }),
  ],
};
