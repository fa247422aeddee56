/** Queueing for a lock: waiting, one's turn, and leaving before it. */
import type { Store } from '../interface.js';
import { text } from '../text.js';
import { fairLocks, proof, type Topic } from './topic.js';
import { quietFor, refused, settles, until } from './waiting.js';

/** Takes the lock again and again, and fails when somebody else is inside. */
async function cycles(store: Store, count: number, section: { inside: number; fences: bigint[] }): Promise<void> {
  for (let i = 0; i < count; i++) {
    await store.withLock('section', async lock => {
      section.inside++;
      if (section.inside !== 1) throw new Error(`${section.inside} holders at once`);
      section.fences.push(lock.fence);
      // Read and write without any guard but the lock.
      const before = Number(text(await store.get('sum')) ?? '0');
      await store.put('sum', String(before + 1));
      if (!lock.held) throw new Error('the lock was lost in a healthy test');
      section.inside--;
    });
  }
}

export const queueing: Topic = {
  name: 'queueing',
  proofs: [
    proof('ten contenders exclude each other, and their fences grow', async ({ writer, reader, limit, expect }) => {
      const section = { inside: 0, fences: [] as bigint[] };
      const contenders = Array.from({ length: 10 }, async (_, i) => cycles(i % 2 === 0 ? writer : reader, 4, section));
      await settles(Promise.all(contenders), 'all contenders to have had their turns', limit * 6);
      expect(text(await reader.get('sum'))).toBe('40');
      for (let i = 1; i < section.fences.length; i++) {
        expect(section.fences[i] as bigint).toBeGreaterThan(section.fences[i - 1] as bigint);
      }
    }),

    proof('a waiter gets the lock when it is released, and is not told before', async ({ writer, reader, record, expect }) => {
      const first = await writer.lock('hand/over');
      const waiting = record(reader.lock$('hand/over'));
      await quietFor(50, 'the waiter must not get a lock that is held');
      expect(waiting.values.length).toBe(0);
      await first.release();
      const second = await waiting.first('the lock, once it was released');
      expect(second.fence).toBeGreaterThan(first.fence);
      expect([first.held, first.signal.aborted, second.held]).toEqual([false, true, true]);
    }),

    proof(
      'guarantee 4: a waiter that unsubscribes leaves the queue and can never acquire later',
      async ({ writer, reader, connect, record, expect }) => {
        const third = (await connect()).store;
        const holder = await writer.lock('leave');
        const gone = record(reader.lock$('leave'));
        await quietFor(50, 'the waiter is to stand in the queue');
        gone.unsubscribe();
        const patient = record(third.lock$('leave'));
        await holder.release();
        await patient.next(lock => lock.held, 'the one who went on waiting to get the lock');
        expect(gone.values.length).toBe(0);
      },
    ),

    proof('guarantee 4: who unsubscribes while asking leaves nothing in the way', async ({ writer, reader, record, expect }) => {
      for (let i = 0; i < 10; i++) {
        const brief = record(writer.lock$('brief'));
        if (i % 2 === 1) await Promise.resolve();
        brief.unsubscribe();
      }
      const lock = await reader.lock('brief');
      expect(lock.held).toBe(true);
      await lock.release();
    }),

    proof('guarantee 4: a waiter has left the queue 100 ms after it unsubscribed', { hooks: ['contenders'] }, async context => {
      const { harness, base, reading, writer, reader, record, limit, expect } = context;
      const count = async (): Promise<number> => (await harness.contenders?.(reading.driver, `${base}count`)) ?? 0;
      const holder = await writer.lock('count');
      const waiter = record(reader.lock$('count'));
      await until(async () => (await count()) === 2, 'two contenders', limit);
      waiter.unsubscribe();
      await until(async () => (await count()) === 1, 'the waiter to have left', 100 * (harness.patience ?? 1));
      await holder.release();
      expect(await count()).toBe(0);
    }),

    proof('each subscription is a contender of its own, also of one and the same lock$', async ({ writer, record, expect }) => {
      const lock$ = writer.lock$('same');
      const [first, second] = [record(lock$), record(lock$)];
      await until(() => first.values.length + second.values.length === 1, 'one of the two to get the lock');
      await quietFor(30, 'the other must not get it');
      expect(first.values.length + second.values.length).toBe(1);
      const [holder, waiter] = first.values.length === 1 ? [first, second] : [second, first];
      holder.unsubscribe();
      const lock = await waiter.first('the lock, for the other');
      expect([lock.held, holder.values[0]?.held]).toEqual([true, false]);
    }),

    proof('a signal ends the waiting with aborted, and the lock is never taken later', async ({ writer, reader, expect }) => {
      const holder = await writer.lock('abort');
      const reason = new Error('enough');
      for (const call of [
        async (signal: AbortSignal) => reader.lock('abort', { signal }),
        async (signal: AbortSignal) => reader.withLock('abort', async () => expect('entered').toBe('never'), { signal }),
      ]) {
        const controller = new AbortController();
        const waiting = refused(() => call(controller.signal), 'aborted', 'an aborted wait for a lock');
        await quietFor(20, 'the waiter is to stand in the queue');
        controller.abort(reason);
        expect((await waiting).cause).toBe(reason);
      }
      await holder.release();
      await (await writer.lock('abort')).release();
    }),

    proof('wait 0 is one try: conflict while held, the lock while free', async ({ writer, reader, record, limit, expect }) => {
      const holder = await writer.lock('try', { wait: 0 });
      const asked = performance.now();
      await refused(() => reader.lock('try', { wait: 0 }), 'conflict', 'one try at a held lock');
      // As soon as the queue has answered, not when some time limit is over.
      expect(performance.now() - asked).toBeLessThanOrEqual(limit / 2);
      const stream = record(reader.lock$('try', { wait: 0 }));
      await stream.fails('conflict', 'one try at a held lock by lock$');
      await holder.release();
      const free = await reader.lock('try', { wait: 0 });
      expect(free.held).toBe(true);
      await free.release();
    }),

    proof('wait bounds the time in the queue, then conflict', async ({ writer, reader, expect }) => {
      const holder = await writer.lock('bounded');
      const asked = performance.now();
      await refused(() => reader.lock('bounded', { wait: 150 }), 'conflict', 'a wait of 150 ms');
      expect(performance.now() - asked).toBeGreaterThanOrEqual(145);
      const waiting = reader.lock('bounded', { wait: 60_000 });
      await holder.release();
      await (await waiting).release();
    }),

    proof('locks are granted in the order of asking', { capable: fairLocks, hooks: ['contenders'] }, async context => {
      const { harness, base, reading, writer, reader, limit, expect } = context;
      const holder = await writer.lock('fair');
      const order: number[] = [];
      const turns: Promise<void>[] = [];
      for (let i = 0; i < 6; i++) {
        turns.push((i % 2 === 0 ? writer : reader).withLock('fair', async () => void order.push(i)));
        await until(
          async () => (await harness.contenders?.(reading.driver, `${base}fair`)) === i + 2,
          `contender ${i} to stand in the queue`,
          limit,
        );
      }
      await holder.release();
      await settles(Promise.all(turns), 'all turns', limit);
      expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    }),
  ],
};
