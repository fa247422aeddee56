import { describe, expect, test, vi } from 'vitest';
import { Calls, reading, writing } from '../src/calls.js';
import { KvError } from '../src/errors.js';
import { StatusTracker } from '../src/status.js';

interface Flight {
  readonly answer: Promise<string>;
  readonly land: (result: string) => void;
}

const kind = reading('get');

function flights(calls: Calls, count: number): Flight[] {
  return Array.from({ length: count }, () => {
    let land: (result: string) => void = () => {};
    const answer = calls.run(kind, undefined, () => new Promise<string>(resolve => (land = resolve)));
    return { answer, land };
  });
}

const open = (): Calls => new Calls('test', 5000, new StatusTracker());

/** Long enough for every microtask that is due. */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

describe('calls in flight', () => {
  test('close() waits for the last of them, in whatever order they settle', async () => {
    const calls = open();
    const flown = flights(calls, 5);
    const closed = vi.fn();
    void calls.close(60_000).then(closed);
    for (const at of [2, 0, 4, 1]) flown[at]?.land(`answer ${at}`);
    await turn();
    expect(closed).not.toHaveBeenCalled();
    flown[3]?.land('answer 3');
    await turn();
    expect(closed).toHaveBeenCalledOnce();
    expect(await Promise.all(flown.map(({ answer }) => answer))).toEqual(['answer 0', 'answer 1', 'answer 2', 'answer 3', 'answer 4']);
  });

  test('those that are given up at close are told so, each once, and those that had settled keep their answer', async () => {
    const calls = open();
    const flown = flights(calls, 4);
    const settled = Promise.allSettled(flown.map(({ answer }) => answer));
    flown[1]?.land('an answer');
    await turn();
    await calls.close(1);
    const codes = (await settled).map(result => (result.status === 'fulfilled' ? result.value : (result.reason as KvError).code));
    expect(codes).toEqual(['closed', 'an answer', 'closed', 'closed']);
  });

  test('an aborted one leaves at once, is no longer waited for, and a write says that it may have been made', async () => {
    const calls = open();
    const controller = new AbortController();
    const answer = calls.run(writing('put'), { signal: controller.signal }, () => new Promise<never>(() => {}));
    controller.abort('enough');
    await expect(answer).rejects.toMatchObject({ code: 'aborted', cause: 'enough', outcome: 'unknown' });
    await calls.close(60_000);
  });

  test('a signal is listened to no longer than its call', async () => {
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, 'removeEventListener');
    await expect(open().run(kind, { signal }, async () => 'an answer')).resolves.toBe('an answer');
    await turn();
    expect(removed).toHaveBeenCalledOnce();
  });
});

test('what is no KvError becomes one', async () => {
  const answer = open().run(kind, undefined, () => Promise.reject(new TypeError('odd')));
  await expect(answer).rejects.toSatisfy(error => KvError.is(error) && error.code === 'internal' && error.backend === 'test');
});
