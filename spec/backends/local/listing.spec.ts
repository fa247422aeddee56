import { describe, expect, test } from 'vitest';
import { list } from '../../../src/backends/local/listing.js';
import type { View } from '../../../src/backends/local/table.js';
import type { ListQuery, Range } from '../../../src/driver.js';
import { pair, put, Scene } from './scene.js';

function keysOf(scene: Scene, query: Range & ListQuery): string[] {
  return list(scene.storage, scene.keyspace, query, () => scene.at).entries.map(({ key }) => key);
}

/** Keys, then directories with their slash. */
function levelOf(scene: Scene, prefix: string, depth: number): string[] {
  const { entries, directories = [] } = list(scene.storage, scene.keyspace, { prefix, depth }, () => scene.at);
  return [...entries.map(({ key }) => key), ...directories.map(key => `${key}/`)];
}

describe('a prefix', () => {
  test('holds what lies below it, never itself nor names that begin alike', () => {
    const scene = new Scene();
    for (const key of ['a', 'a/x', 'a/x/y', 'ab', 'a-b/x', 'a.b', 'a0', 'a/😀', 'a/\uffff']) scene.commit([put(key)]);
    expect(keysOf(scene, { prefix: 'a/' })).toEqual(['a/x', 'a/x/y', 'a/😀', 'a/\uffff']);
    expect(keysOf(scene, { prefix: 'a-b/' })).toEqual(['a-b/x']);
    expect(keysOf(scene, { prefix: 'b/' })).toEqual([]);
  });

  test('of the root leaves the store’s own records out; one of those sees them', () => {
    for (const root of ['', 'app/', 'raw:']) {
      const scene = new Scene(root);
      for (const key of ['a', '~', '~rxkv/lock/j/1', '~rxkv2', '~z', '~rxkv-', '\uffff']) scene.commit([put(key)]);
      expect(keysOf(scene, { prefix: '' })).toEqual(['a', '~', '~rxkv-', '~rxkv2', '~z', '\uffff']);
      expect(levelOf(scene, '', 1)).toEqual(['a', '~', '~rxkv-', '~rxkv2', '~z', '\uffff']);
      expect(keysOf(scene, { prefix: '~rxkv/' })).toEqual(['~rxkv/lock/j/1']);
      expect(levelOf(scene, '~rxkv/', 1)).toEqual(['~rxkv/lock/']);
      expect(keysOf(scene, { key: '~rxkv/lock/j/1' })).toEqual(['~rxkv/lock/j/1']);
    }
  });

  test('ends where the root does, also where that is a raw prefix', () => {
    const everything = new Scene();
    for (const root of ['raw', 'r\ud7ff', 'r\uffff']) {
      const scene = new Scene(root);
      Object.assign(scene, { storage: everything.storage });
      for (const key of ['a', '/a', 'z/b', '\u{10ffff}']) everything.commit([put(root + key)]);
      for (const key of ['r', 'ra', 'rax', 's', 'r\ue000', 'r\u{10000}']) everything.commit([put(key)]);
      expect(keysOf(scene, { prefix: '' })).toEqual(['a', 'z/b', '\u{10ffff}']);
    }
  });

  test('leaves out records of others that are no keys, counts each once and tells once', () => {
    const scene = new Scene();
    for (const key of ['fine', 'two//slashes', '/leading', 'trailing/', 'a/./b', 'x/~rxkv/y']) scene.commit([put(key)]);
    expect(keysOf(scene, { prefix: '' })).toEqual(['fine']);
    expect(levelOf(scene, '', 1)).toEqual(['fine']);
    expect(scene.foreign).toEqual([{ first: '/leading' }]);
    expect(scene.keyspace.foreign.count).toBe(5);
  });

  test('leaves out what is due', () => {
    const scene = new Scene();
    const session = scene.begin('s', 2000);
    scene.commit([put('a', '', { ttl: 500 }), put('b'), put('c', '', { session })]);
    expect(keysOf(scene, { prefix: '' })).toEqual(['a', 'b', 'c']);
    scene.at = { ...scene.at, wall: 1500, monotonic: 2000 };
    expect(keysOf(scene, { prefix: '' })).toEqual(['b']);
    expect([...keysOf(scene, { key: 'a' }), ...keysOf(scene, { key: 'c' })]).toEqual([]);
  });
});

describe('depth', () => {
  // 'a0' is what comes right after the directory 'a'.
  const keys = ['a', 'a/x', 'a/y/z', 'a-b/x', 'a.b', 'a0', 'a0/x', 'ab/c/d/e', 'b'];

  test('1 is one level: keys, directories, and both at once', () => {
    const scene = new Scene('app/');
    for (const key of keys) scene.commit([put(key)]);
    expect(levelOf(scene, '', 1)).toEqual(['a', 'a.b', 'a0', 'b', 'a-b/', 'a/', 'a0/', 'ab/']);
    expect(levelOf(scene, 'a/', 1)).toEqual(['a/x', 'a/y/']);
  });

  test('of more is as many, with the directories at the last of them', () => {
    const scene = new Scene();
    for (const key of keys) scene.commit([put(key)]);
    expect(levelOf(scene, '', 2)).toEqual(['a', 'a-b/x', 'a.b', 'a/x', 'a0', 'a0/x', 'b', 'a/y/', 'ab/c/']);
    expect(levelOf(scene, '', 9)).toEqual(['a', 'a-b/x', 'a.b', 'a/x', 'a/y/z', 'a0', 'a0/x', 'ab/c/d/e', 'b']);
  });

  test('steps over directories instead of reading them', () => {
    const scene = new Scene();
    scene.commit(Array.from({ length: 5000 }, (_, i) => put(`d${i % 5}/${i}`)));
    scene.commit([put('k')]);
    let read = 0;
    const counting: View = Object.assign(Object.create(scene.storage) as View, {
      *rows(...range: Parameters<View['rows']>) {
        for (const row of scene.storage.rows(range[0], range[1])) {
          read++;
          yield row;
        }
      },
    });
    const { entries, directories } = list(counting, scene.keyspace, { prefix: '', depth: 1 }, () => scene.at);
    expect([entries.length, directories]).toEqual([1, ['d0', 'd1', 'd2', 'd3', 'd4']]);
    expect(read).toBeLessThan(20);
  });

  test('shows no directory of which nothing is alive or a key', () => {
    const scene = new Scene();
    scene.commit([
      put('due/1', '', { ttl: 500 }),
      put('due/2', '', { ttl: 500 }),
      put('half/1', '', { ttl: 500 }),
      put('half/2'),
      put('odd//x'),
    ]);
    scene.at = { ...scene.at, wall: 1500 };
    expect(levelOf(scene, '', 1)).toEqual(['half/']);
  });
});

test('values can be left out, and a listing is of the head', () => {
  const scene = new Scene();
  scene.commit([put('a', '1')]);
  scene.commit([put('b', '2')]);
  const asked: unknown[] = [];
  const recording: View = Object.assign(Object.create(scene.storage) as View, {
    rows(...range: Parameters<View['rows']>) {
      asked.push(range[2]?.values);
      return scene.storage.rows(range[0], range[1]);
    },
  });
  const listing = list(recording, scene.keyspace, { prefix: 'a/', values: false }, () => scene.at);
  expect(asked).toEqual([false]);
  expect(listing.revision).toBe(2n);
  expect(list(scene.storage, scene.keyspace, { key: 'a' }, () => scene.at).entries.map(pair)).toEqual(['a=1']);
});
