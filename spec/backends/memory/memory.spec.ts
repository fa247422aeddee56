import { describe, expect, test } from 'vitest';
import { createWorld, memory } from '../../../src/backends/memory/index.js';
import type { MemoryOptions } from '../../../src/backends/memory/options.js';
import type { Driver } from '../../../src/driver.js';
import { KvError } from '../../../src/errors.js';
import { context, put } from '../local/scene.js';

const call = { timeout: 1000 };

function message(options: unknown): string {
  try {
    memory(options as MemoryOptions);
  } catch (error) {
    if (KvError.is(error) && error.code === 'invalid') return error.message;
    throw error;
  }
  return 'accepted';
}

/** The keys of the whole world after a put of `k` below that root. */
async function written(options: MemoryOptions): Promise<string[]> {
  const world = createWorld();
  const [driver, all] = [memory({ ...options, world }), memory({ world })];
  for (const one of [driver, all]) one.start(context());
  await driver.commit({ checks: [], ops: [put('k')] }, call);
  return keysOf(all);
}

async function keysOf(driver: Driver): Promise<string[]> {
  return (await driver.list({ prefix: '' }, { ...call, consistency: 'strong' })).entries.map(({ key }) => key);
}

describe('options', () => {
  test('a root is a directory, however its slashes are written', async () => {
    for (const root of ['app', '/app', 'app/', '/app//']) expect(await written({ root })).toEqual(['app/k']);
    for (const root of ['', '/']) expect(await written({ root })).toEqual(['k']);
    expect(await written({ root: 'a/b' })).toEqual(['a/b/k']);
  });

  test('a rawRoot is a prefix byte for byte', async () => {
    expect(await written({ rawRoot: 'app:' })).toEqual(['app:k']);
    expect(await written({ rawRoot: 'app' })).toEqual(['appk']);
    expect(await written({ rawRoot: '' })).toEqual(['k']);
  });

  test('both, the reserved segment and what is no directory are invalid', () => {
    expect(message({ root: 'a', rawRoot: 'a' })).toMatch(/root or rawRoot/);
    for (const options of [{ root: 'a/~rxkv' }, { rawRoot: 'a/~rxkv/' }, { rawRoot: '~rxkv' }])
      expect(message(options)).toMatch(/reserved segment "~rxkv"/);
    for (const options of [{ root: 'a//b' }, { root: '..' }, { root: 1 }, { root: null }, { rawRoot: 1 }, { rawRoot: null }])
      expect(message(options)).not.toBe('accepted');
  });

  test('an unknown option is invalid by name, with the nearest known one', () => {
    expect(message({ rot: 'a' })).toBe('unknown option "rot" of memory(): did you mean "root"?');
    expect(message({ prefix: 'a' })).toBe('unknown option "prefix" of memory(): did you mean "root"?');
    expect(message({ root: undefined, rot: undefined, world: undefined })).toBe('accepted');
    for (const options of ['a', 1, null, []]) expect(message(options)).toMatch(/are an object/);
  });

  test('a world is one that createWorld() has made', () => {
    for (const world of [null, {}, 'w', createWorld]) expect(message({ world })).toMatch(/createWorld/);
  });
});

test('the capabilities are what memory can do, and cannot be changed by anybody', () => {
  expect(memory().capabilities).toMatchObject({
    atomic: 'range',
    consistentList: true,
    compareAndSet: 'exact',
    locks: 'strict',
    fair: true,
    resumes: true,
    minTtl: 10,
    maxTtl: Infinity,
    ttlLag: 500,
  });
  expect(Object.isFrozen(memory().capabilities)).toBe(true);
});

test('the native client is the world, from first use on', async () => {
  const world = createWorld();
  const driver = memory({ world });
  driver.start(context());
  expect(driver.native).toBeUndefined();
  await driver.ready(call);
  expect(driver.native).toBe(world);
});

test('stores of different roots see nothing of each other', async () => {
  const world = createWorld();
  const [a, ab, root] = [memory({ world, root: 'a' }), memory({ world, root: 'ab' }), memory({ world, rawRoot: '' })];
  for (const one of [a, ab, root]) one.start(context());
  await a.commit({ checks: [], ops: [put('k'), put('~rxkv/lock/j')] }, call);
  await ab.commit({ checks: [], ops: [put('k')] }, call);
  await a.commit({ checks: [], ops: [{ deletePrefix: '' }] }, call);
  expect([await keysOf(a), await keysOf(ab), await keysOf(root)]).toEqual([[], ['k'], ['ab/k']]);
});
