import { firstValueFrom, take, toArray } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import { createWorld, memory } from '../src/backends/memory/index.js';
import type { Store } from '../src/interface.js';
import { silent } from '../src/logger.js';
import { type KeyMapping, mapKeys } from '../src/map-keys.js';
import { diff } from '../src/operators/diff.js';
import { createStore } from '../src/store.js';
import { texts } from './entries.js';

function reversed(segment: string): string {
  return Array.from(segment).reverse().join('');
}

/** Segments are stored backwards, behind a mark. */
const backwards: KeyMapping = {
  encode: segment => `=${reversed(segment)}`,
  decode: segment => {
    if (!segment.startsWith('=')) throw new Error('not of this layout');
    return reversed(segment.slice(1));
  },
};

function pair(mapping: KeyMapping = backwards, warn: () => void = () => {}): { mapped: Store; raw: Store } {
  const world = createWorld();
  return {
    mapped: createStore(mapKeys(memory({ world }), mapping), { logger: { ...silent, warn } }),
    raw: createStore(memory({ world })),
  };
}

describe('mapKeys', () => {
  test('writes keys in another layout and reads them back', async () => {
    const { mapped, raw } = pair();
    await mapped.put('abc/def', '1');
    expect(await raw.list('')).toSatisfy(snapshot => texts(snapshot).join() === '=cba/=fed=1');
    expect(await mapped.get('abc/def')).toMatchObject({ key: 'abc/def' });
    expect(texts(await mapped.list('abc'))).toEqual(['abc/def=1']);
    expect(await mapped.children('')).toMatchObject([{ name: 'abc', directory: true }]);
  });

  test('orders keys as users see them', async () => {
    const { mapped } = pair();
    for (const key of ['ba', 'ab', 'za']) await mapped.put(key, '');
    expect([...(await mapped.list('')).keys()]).toEqual(['ab', 'ba', 'za']);
  });

  test('carries compare-and-set, transactions and their conflicts', async () => {
    const { mapped } = pair();
    const entry = await mapped.atomicPut('abc', '1', undefined);
    await mapped.atomicPut('abc', '2', entry);
    await expect(mapped.atomicPut('abc', '3', entry)).rejects.toMatchObject({
      code: 'conflict',
      conflicts: [{ key: 'abc', current: { key: 'abc' } }],
    });
    await mapped.transaction({ ops: [{ put: 'x/y', value: '1' }, { deleteTree: 'z' }, { delete: 'abc' }] });
    expect(texts(await mapped.list(''))).toEqual(['x/y=1']);
  });

  test('carries watches', async () => {
    const { mapped } = pair();
    const seen = firstValueFrom(mapped.watchTree$('ab').pipe(diff(), take(3), toArray()));
    await mapped.put('ab/c', '1');
    await mapped.put('ba/c', '1');
    await mapped.put('ab/c', '2');
    await mapped.deleteTree('ab');
    expect((await seen).map(({ type, key }) => `${type} ${key}`)).toEqual(['added ab/c', 'modified ab/c', 'deleted ab/c']);
  });

  test('carries locks, whose records keep their place', async () => {
    const { mapped, raw } = pair();
    const lock = await mapped.lock('job', { value: 'me' });
    expect(await firstValueFrom(raw.leader$('job'))).toMatchObject({ id: 'me', fence: lock.fence });
    await mapped.put('abc', '1', { lock });
    await lock.release();
    await expect(mapped.put('abc', '2', { lock })).rejects.toMatchObject({ code: 'conflict' });
  });

  test('leaves out what is not of its layout, and tells so once', async () => {
    const warn = vi.fn();
    const { mapped, raw } = pair(backwards, warn);
    await raw.put('plain', '1');
    await raw.put('also/plain', '1');
    await mapped.put('abc', '1');
    expect(texts(await mapped.list(''))).toEqual(['abc=1']);
    await mapped.list('');
    expect(warn).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['an empty segment', () => ''],
    ['a slash', () => 'a/b'],
    ['no string', () => undefined as never],
    [
      'an error',
      () => {
        throw new Error('no');
      },
    ],
  ])('refuses a mapping that makes %s', async (_, encode) => {
    const { mapped } = pair({ encode, decode: segment => segment });
    await expect(mapped.put('a', '')).rejects.toMatchObject({ code: 'invalid' });
  });

  test('refuses what is no driver', () => {
    const mapping = { encode: String, decode: String };
    for (const driver of [undefined, {}]) expect(() => mapKeys(driver as never, mapping)).toThrow(/mapKeys needs a driver/);
  });

  test('refuses what is no mapping', () => {
    expect(() => mapKeys(memory(), {} as never)).toThrow(/encode, decode/);
  });
});
