import { describe, expect, test } from 'vitest';
import { coalesce } from '../src/coalesce.js';

interface Flight {
  readonly items: readonly number[];
  readonly land: (results: readonly (number | Error)[]) => void;
  readonly crash: (error: Error) => void;
}

function flights(most?: number): { call: ReturnType<typeof coalesce<number, number>>; flown: Flight[] } {
  const flown: Flight[] = [];
  const run = (items: readonly number[]): Promise<readonly (number | Error)[]> =>
    new Promise((land, crash) => {
      flown.push({ items, land, crash });
    });
  return { call: coalesce<number, number>(most === undefined ? { run } : { run, most }), flown };
}

/** Long enough for every microtask that is due. */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

describe('coalescing', () => {
  test('a lone call goes at once', async () => {
    const { call, flown } = flights();
    const answer = call(1);
    await turn();
    expect(flown.map(({ items }) => items)).toEqual([[1]]);
    flown[0]?.land([10]);
    await expect(answer).resolves.toBe(10);
  });

  test('calls made in one go travel together, those made in flight wait and then go as one', async () => {
    const { call, flown } = flights();
    const answers = [call(1), call(2)];
    await turn();
    answers.push(call(3), call(4));
    await turn();
    expect(flown.map(({ items }) => items)).toEqual([[1, 2]]);
    flown[0]?.land([10, 20]);
    await turn();
    expect(flown.map(({ items }) => items)).toEqual([
      [1, 2],
      [3, 4],
    ]);
    flown[1]?.land([30, 40]);
    await expect(Promise.all(answers)).resolves.toEqual([10, 20, 30, 40]);
  });

  test('an error among the results rejects its own call alone', async () => {
    const { call, flown } = flights();
    const answers = Promise.allSettled([call(1), call(2)]);
    await turn();
    flown[0]?.land([new Error('no'), 20]);
    expect((await answers).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  test('a batch that fails rejects its calls, and the next goes on', async () => {
    const { call, flown } = flights();
    const first = Promise.allSettled([call(1), call(2)]);
    await turn();
    const second = call(3);
    flown[0]?.crash(new Error('cut'));
    expect((await first).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await turn();
    flown[1]?.land([30]);
    await expect(second).resolves.toBe(30);
  });

  test('a batch has at most so many items, in the order of asking', async () => {
    const { call, flown } = flights(2);
    const answers = Promise.all([1, 2, 3, 4, 5].map(call));
    for (let i = 0; i < 3; i++) {
      await turn();
      flown[i]?.land((flown[i] as Flight).items.map(item => item * 10));
    }
    await expect(answers).resolves.toEqual([10, 20, 30, 40, 50]);
    expect(flown.map(({ items }) => items)).toEqual([[1, 2], [3, 4], [5]]);
  });

  test('who goes on alone after a batch goes at once again', async () => {
    const alone: number[] = [];
    const later = async <T>(answer: T): Promise<T> => turn().then(() => answer);
    const call = coalesce<number, number>({
      run: async items => later(items.map(item => item * 10)),
      alone: async item => {
        alone.push(item);
        return later(item * 10);
      },
      turn,
    });
    // The second waits for the first, as a batch of one.
    expect(await Promise.all([call(1), call(2)])).toEqual([10, 20]);
    expect(await call(3)).toBe(30);
    expect(await call(4)).toBe(40);
    expect(alone).toEqual([1, 3, 4]);
  });

  test('is idle when nothing is waiting or under way', async () => {
    const { call, flown } = flights();
    await call.idle();
    const answer = call(1);
    let idle = false;
    const becoming = call.idle().then(() => (idle = true));
    await turn();
    expect(idle).toBe(false);
    flown[0]?.land([10]);
    await answer;
    await becoming;
    expect(idle).toBe(true);
  });
});
