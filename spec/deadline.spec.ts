import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadlines } from '../src/deadline.js';
import { KvError } from '../src/errors.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function race<T>(deadlines: Deadlines, work: Promise<T>, timeout: number, signal?: AbortSignal): Promise<T> {
  return deadlines.race(work, { timeout, ...(signal === undefined ? {} : { signal }) }, 'put', { backend: 'test', outcome: 'unknown' });
}

const never = new Promise<never>(() => {});

describe('a deadline', () => {
  test('gives up what takes too long, at its time and not before', async () => {
    const settled = vi.fn();
    race(new Deadlines(), never, 1000).catch(settled);
    await vi.advanceTimersByTimeAsync(999);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(21);
    const error: unknown = settled.mock.calls[0]?.[0];
    expect(KvError.is(error) && [error.code, error.outcome, error.message]).toEqual([
      'timeout',
      'unknown',
      'put: no answer within 1000 ms',
    ]);
  });

  test('that comes later does not hold up one that comes sooner', async () => {
    const deadlines = new Deadlines();
    const settled: number[] = [];
    for (const timeout of [3000, 1000, 2000]) race(deadlines, never, timeout).catch(() => settled.push(timeout));
    await vi.advanceTimersByTimeAsync(1500);
    expect(settled).toEqual([1000]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(settled).toEqual([1000, 2000, 3000]);
  });

  test('keeps no process alive once everything has settled, and leaves no timer in the end', async () => {
    const set = vi.spyOn(globalThis, 'setTimeout');
    const deadlines = new Deadlines();
    await expect(race(deadlines, Promise.resolve(1), 1000)).resolves.toBe(1);
    await expect(race(deadlines, Promise.reject(new Error('no')), 1000)).rejects.toThrow('no');
    expect(set).toHaveBeenCalledOnce();
    const timer = set.mock.results[0]?.value as NodeJS.Timeout;
    expect(timer.hasRef()).toBe(false);
    const settled = vi.fn();
    race(deadlines, never, 1000).catch(settled);
    expect(timer.hasRef()).toBe(true);
    await vi.advanceTimersByTimeAsync(1020);
    expect(settled).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('of more than 24.8 days does not come at once', async () => {
    const settled = vi.fn();
    race(new Deadlines(), never, 2 ** 40).catch(settled);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(settled).not.toHaveBeenCalled();
  });

  test('that is endless takes no timer', () => {
    void race(new Deadlines(), never, Infinity);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('an aborted signal rejects at once, with its reason as the cause', async () => {
    const set = vi.spyOn(globalThis, 'setTimeout');
    const controller = new AbortController();
    const answer = race(new Deadlines(), never, 1000, controller.signal);
    controller.abort('enough');
    await expect(answer).rejects.toMatchObject({ code: 'aborted', cause: 'enough', outcome: 'unknown' });
    const timer = set.mock.results[0]?.value as NodeJS.Timeout;
    expect(timer.hasRef()).toBe(false);
  });

  test('what is given up is told so first, once, and what answers in time never', async () => {
    const deadlines = new Deadlines();
    const controller = new AbortController();
    const removed = vi.spyOn(controller.signal, 'removeEventListener');
    const givenUp = vi.fn();
    const detail = { backend: 'test' };
    await deadlines.race(Promise.resolve(1), { timeout: 1000 }, 'put', detail, givenUp);
    expect(givenUp).not.toHaveBeenCalled();
    const late = vi.fn();
    deadlines.race(never, { timeout: 1000, signal: controller.signal }, 'put', detail, givenUp).catch(late);
    await vi.advanceTimersByTimeAsync(1020);
    expect(late).toHaveBeenCalledOnce();
    expect([givenUp.mock.calls.length, removed.mock.calls.length]).toEqual([1, 1]);
    controller.abort();
    expect(givenUp).toHaveBeenCalledOnce();
  });

  test('after closing no timer is left once nothing is under way, and what is under way is still given up in time', async () => {
    const [idle, busy] = [new Deadlines(), new Deadlines()];
    await race(idle, Promise.resolve(1), 1000);
    const late = race(busy, never, 1000).catch((error: unknown) => error);
    expect(vi.getTimerCount()).toBe(2);
    idle.close();
    busy.close();
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1020);
    expect(await late).toMatchObject({ code: 'timeout' });
    await race(busy, Promise.resolve(1), 1000);
    expect(vi.getTimerCount()).toBe(0);
  });
});
