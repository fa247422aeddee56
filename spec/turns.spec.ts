import { expect, test } from 'vitest';
import { type Extent, Turns } from '../src/turns.js';

const keys = (...names: string[]): Extent => ({ keys: names, prefixes: [] });
const prefix = (name: string): Extent => ({ keys: [], prefixes: [name] });

/** Writes that stay under way until they are told to end; the order in which they began. */
class Writes {
  readonly began: string[] = [];
  private readonly ends: Map<string, { resolve: () => void; reject: (error: Error) => void }> = new Map();
  private readonly turns: Turns = new Turns();

  take(name: string, extent: Extent): Promise<void> {
    return this.turns.take(extent, () => {
      this.began.push(name);
      return new Promise((resolve, reject) => this.ends.set(name, { resolve, reject }));
    });
  }

  async end(name: string, error?: Error): Promise<void> {
    const { resolve, reject } = this.ends.get(name) ?? {};
    if (error === undefined) resolve?.();
    else reject?.(error);
    // Whoever waited for it begins in the turns after it.
    await new Promise(done => setImmediate(done));
  }
}

test('writes of one key go one after the other, in the order of asking; others at once', async () => {
  const writes = new Writes();
  for (const name of ['a1', 'a2', 'a3']) void writes.take(name, keys('a'));
  void writes.take('b', keys('b'));
  expect(writes.began).toEqual(['a1', 'b']);
  await writes.end('a1');
  await writes.end('a2');
  expect(writes.began).toEqual(['a1', 'b', 'a2', 'a3']);
});

test('one that fails lets the next go on, and only its own caller hears of it', async () => {
  const writes = new Writes();
  const failing = writes.take('1', keys('a'));
  const next = writes.take('2', keys('a'));
  const refusal = failing.catch((error: unknown) => error);
  await writes.end('1', new Error('refused'));
  expect(await refusal).toEqual(new Error('refused'));
  await writes.end('2');
  await next;
});

test('a prefix waits for the keys and prefixes in it, and they for it; those beside it do not', async () => {
  const writes = new Writes();
  void writes.take('in', keys('d/1'));
  void writes.take('tree', prefix('d/'));
  void writes.take('later', keys('d/2'));
  void writes.take('deeper', prefix('d/x/'));
  void writes.take('above', prefix(''));
  void writes.take('beside', keys('da'));
  expect(writes.began).toEqual(['in']);
  await writes.end('in');
  expect(writes.began).toEqual(['in', 'tree']);
  await writes.end('tree');
  expect(new Set(writes.began)).toEqual(new Set(['in', 'tree', 'later', 'deeper']));
  await writes.end('later');
  await writes.end('deeper');
  expect(writes.began.at(-1)).toBe('above');
  await writes.end('above');
  expect(writes.began.at(-1)).toBe('beside');
});

test('a write of several keys waits for each of them', async () => {
  const writes = new Writes();
  void writes.take('a', keys('a'));
  void writes.take('b', keys('b'));
  void writes.take('both', keys('a', 'b'));
  await writes.end('a');
  expect(writes.began).toEqual(['a', 'b']);
  await writes.end('b');
  expect(writes.began).toEqual(['a', 'b', 'both']);
});
