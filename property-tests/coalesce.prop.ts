import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { coalesce } from '../src/coalesce.js';

/** What is asked together, and what its single calls come to. */
const turns = fc.array(fc.array(fc.constantFrom('answer', 'error'), { maxLength: 6, size: 'max' }), { maxLength: 8, size: 'max' });

interface Outcome {
  readonly asked: readonly number[];
  readonly batches: readonly (readonly number[])[];
  readonly mostUnderWay: number;
  readonly settled: readonly PromiseSettledResult<string>[];
}

/** Asks turn by turn while the scheduler decides when batches are answered and when the next turn comes. */
async function ran(s: fc.Scheduler, list: readonly (readonly string[])[], most: number, failing: readonly boolean[]): Promise<Outcome> {
  const batches: number[][] = [];
  const asked: number[] = [];
  const answers: Promise<string>[] = [];
  let underWay = 0;
  let mostUnderWay = 0;
  const call = coalesce<{ id: number; wish: string }, string>({
    most,
    run: async batch => {
      const fails = failing[batches.length % failing.length] === true;
      batches.push(batch.map(({ id }) => id));
      mostUnderWay = Math.max(mostUnderWay, ++underWay);
      await s.schedule(Promise.resolve(), `batch ${batches.length}`);
      underWay--;
      if (fails) throw new Error('the batch failed');
      return batch.map(({ id, wish }) => (wish === 'error' ? new Error(`no ${id}`) : `answer ${id}`));
    },
  });
  const ask = (wishes: readonly string[]): void => {
    for (const wish of wishes) {
      asked.push(asked.length);
      answers.push(call({ id: asked.length - 1, wish }));
    }
  };
  const asking = list.map((wishes, i) => s.schedule(Promise.resolve(), `turn ${i}`).then(() => ask(wishes)));
  await s.waitIdle();
  await Promise.all(asking);
  await s.waitFor(call.idle());
  const settled = await Promise.allSettled(answers);
  return { asked, batches, mostUnderWay, settled };
}

describe('coalesce', () => {
  test.prop([fc.scheduler(), turns, fc.integer({ min: 1, max: 5 }), fc.array(fc.boolean(), { minLength: 1, maxLength: 4 })])(
    'order: every call travels once, in the order of asking, one batch at a time, none over the most',
    async (s, list, most, failing) => {
      const { asked, batches, mostUnderWay } = await ran(s, list, most, failing);

      expect(batches.flat()).toEqual(asked);
      expect(batches.every(batch => batch.length > 0 && batch.length <= most)).toBe(true);
      expect(mostUnderWay).toBe(asked.length === 0 ? 0 : 1);
    },
  );

  test.prop([fc.scheduler(), turns, fc.integer({ min: 1, max: 5 }), fc.array(fc.boolean(), { minLength: 1, maxLength: 4 })])(
    'own answer: each call gets its own answer or error, and that of its batch where the batch fails',
    async (s, list, most, failing) => {
      const { batches, settled } = await ran(s, list, most, failing);
      const wishes = list.length === 0 ? [] : settled.map((_, id) => id);
      const failed = new Set(batches.filter((_, i) => failing[i % failing.length] === true).flat());

      for (const id of wishes) {
        const result = settled[id] as PromiseSettledResult<string>;
        const told = result.status === 'fulfilled' ? result.value : (result.reason as Error).message;
        if (failed.has(id)) expect(told).toBe('the batch failed');
        else expect([`answer ${id}`, `no ${id}`]).toContain(told);
        if (!failed.has(id)) expect(told.startsWith('no')).toBe(result.status === 'rejected');
      }
    },
  );

  test.prop([fc.array(fc.integer(), { minLength: 1, maxLength: 50, size: 'max' })])(
    'together: calls made in one go while nothing is under way are one batch',
    async items => {
      const batches: (readonly number[])[] = [];
      const call = coalesce<number, number>({
        run: async batch => {
          batches.push(batch);
          return batch;
        },
      });

      expect(await Promise.all(items.map(call))).toEqual(items);
      expect(batches).toEqual([items]);
      await call.idle();
      expect(await call(0)).toBe(0);
      expect(batches).toHaveLength(2);
    },
  );
});
