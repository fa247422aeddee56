import { NEVER, of } from 'rxjs';
import { expect, test } from 'vitest';
import { KvError } from '../src/errors.js';
import { answersTo, Running } from '../src/running.js';

const call = { timeout: 1000 };

function started(): Running<string> {
  const running = new Running<string>('etcd');
  running.start(() => 'parts');
  return running;
}

function errorOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

test('a driver that is started twice belongs to two stores: invalid', () => {
  const error = errorOf(() => started().start(() => 'others'));
  expect(error).toMatchObject({ code: 'invalid', backend: 'etcd' });
});

test('before the start nothing can be asked, and there are no parts', () => {
  const running = new Running<string>('etcd');
  expect(running.parts).toBeUndefined();
  expect(errorOf(() => running.open(call, 'get'))).toMatchObject({ code: 'internal' });
});

test('after close() every call and stream is closed, and those that are open end', () => {
  const running = started();
  const errors: unknown[] = [];
  const error = (reason: unknown): number => errors.push(reason);
  running.live$(() => NEVER).subscribe({ error });
  expect(running.close()).toBe('parts');
  expect(running.close()).toBeUndefined();
  running.live$(() => of('late')).subscribe({ next: error, error });
  errors.push(errorOf(() => running.open(call, 'get')));
  expect(errors.map(each => KvError.is(each) && each.code)).toEqual(['closed', 'closed', 'closed']);
});

test('a call whose signal is aborted already is not begun, and its reason is the cause', () => {
  const signal = AbortSignal.abort('enough');
  expect(errorOf(() => started().open({ ...call, signal }, 'get'))).toMatchObject({ code: 'aborted', cause: 'enough' });
});

test('a write that is given up is marked, so that a batch leaves it out, and its outcome is unknown; a read has none', async () => {
  const running = started();
  const [write, read] = [{ abandoned: false }, { abandoned: false }];
  const never = new Promise<never>(() => {});
  await expect(running.follow(write, never, { timeout: 10 }, 'commit')).rejects.toMatchObject({ code: 'timeout', outcome: 'unknown' });
  const error: unknown = await running.follow(read, never, { timeout: 10 }, 'get').catch((reason: unknown) => reason);
  expect([write.abandoned, read.abandoned, (error as KvError).outcome]).toEqual([true, true, undefined]);
  expect(await running.follow({ abandoned: false }, Promise.resolve('answer'), call, 'get')).toBe('answer');
});

test('those of a batch who still wait are asked for together, and each has its own answer', async () => {
  const batch = ['a', 'b', 'c'].map(key => ({ key, abandoned: key === 'b' }));
  const [first, second, third] = await answersTo(batch, 'etcd', async waiting => waiting.map(({ key }) => `answer to ${key}`));
  expect([first, third]).toEqual(['answer to a', 'answer to c']);
  expect(second).toMatchObject({ code: 'timeout', backend: 'etcd' });
});

test('nobody is asked for where all of a batch have given up', async () => {
  const asked: unknown[] = [];
  const answers = await answersTo([{ abandoned: true }], 'etcd', async waiting => asked.splice(0, 0, waiting));
  expect([asked, answers.map(each => KvError.is(each) && each.code)]).toEqual([[], ['timeout']]);
});
