import { describe, expect, test } from 'vitest';
import { KvError } from '../src/errors.js';
import {
  byteLength,
  decodeSegment,
  depthOf,
  directoryOf,
  encodeSegment,
  isKey,
  maxKeyBytes,
  normaliseDirectory,
  normaliseKey,
  prefixEnd,
} from '../src/key.js';

function refused(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(KvError.is(error) && error.code).toBe('invalid');
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

describe('a key', () => {
  test.each([
    ['a', 'a'],
    ['/a', 'a'],
    ['a/', 'a'],
    ['a///', 'a'],
    ['/a/b/', 'a/b'],
    ['a b', 'a b'],
    ['%', '%'],
    ['a*[?\\', 'a*[?\\'],
    ['schlüssel/🔑', 'schlüssel/🔑'],
    ['...', '...'],
    ['~rxkv2', '~rxkv2'],
    ['a~rxkv', 'a~rxkv'],
  ])('%j is %j', (written, normal) => {
    expect(normaliseKey(written)).toBe(normal);
  });

  test.each([
    ['', 'is empty'],
    ['/', 'is empty'],
    ['///', 'is empty'],
    ['a//b', 'empty segment'],
    ['//a', 'empty segment'],
    ['.', 'segment "."'],
    ['a/../b', 'segment ".."'],
    ['a/./b', 'segment "."'],
    ['a\u0000b', 'control character'],
    ['a\u001f', 'control character'],
    ['\u007f', 'control character'],
    ['a\u009f', 'control character'],
    ['a\ud800', 'surrogate'],
    ['\udc00a', 'surrogate'],
    ['~rxkv', 'reserved'],
    ['a/~rxkv/b', 'reserved'],
    ['~rxkv/', 'reserved'],
  ])('%j is refused: %s', (written, reason) => {
    expect(refused(() => normaliseKey(written))).toContain(reason);
  });

  test.each([undefined, null, 1, {}, ['a']])('%j is refused, since it is no string', written => {
    expect(refused(() => normaliseKey(written as string))).toMatch(/a key is a string, not/);
  });

  test('has at most 1024 bytes of UTF-8, its view included', () => {
    expect(normaliseKey('a'.repeat(maxKeyBytes))).toHaveLength(maxKeyBytes);
    expect(refused(() => normaliseKey('a'.repeat(maxKeyBytes + 1)))).toContain('1025 bytes');
    expect(normaliseKey('é'.repeat(512))).toHaveLength(512);
    expect(refused(() => normaliseKey(`${'é'.repeat(512)}a`))).toContain('1025 bytes');
    expect(normaliseKey('🔑'.repeat(256))).toHaveLength(512);
    expect(normaliseKey('a'.repeat(1022), 'x/')).toHaveLength(maxKeyBytes);
    expect(refused(() => normaliseKey('a'.repeat(1023), 'x/'))).toContain('1025 bytes');
  });

  test('in a message is escaped and cut', () => {
    expect(refused(() => normaliseKey(`a\n${'b'.repeat(2000)}`))).toMatch(/^key "a\\nb{70,80}\.\.\." has/);
  });

  test('below a view gets its path in front', () => {
    expect(normaliseKey('/b/', 'a/')).toBe('a/b');
  });

  test('of another client is recognised as one of ours or not', () => {
    expect(isKey('a/b')).toBe(true);
    expect(isKey('a/')).toBe(false);
    expect(isKey('/a')).toBe(false);
    expect(isKey('a//b')).toBe(false);
    expect(isKey('a/~rxkv')).toBe(false);
  });
});

describe('a directory', () => {
  test.each([
    ['', ''],
    ['/', ''],
    ['a', 'a/'],
    ['/a/b//', 'a/b/'],
  ])('%j is the prefix %j', (written, prefix) => {
    expect(normaliseDirectory(written)).toBe(prefix);
  });

  test('that is the root of a view is the path of the view', () => {
    expect(normaliseDirectory('', 'a/')).toBe('a/');
    expect(normaliseDirectory('b', 'a/')).toBe('a/b/');
  });

  test('is refused like a key', () => {
    expect(refused(() => normaliseDirectory('a//b'))).toContain('directory "a//b" has an empty segment');
    expect(refused(() => normaliseDirectory(undefined as never))).toContain('a directory is a string');
  });

  test('is shown without its last slash', () => {
    expect(directoryOf('a/b/')).toBe('a/b');
    expect(directoryOf('')).toBe('');
  });
});

test('the end of a prefix comes after all that start with it, and before its next sibling', () => {
  expect(prefixEnd('')).toBeUndefined();
  const end = prefixEnd('a/') as string;
  for (const inside of ['a/', 'a/\u{10ffff}', 'a/z/z']) expect(inside < end && inside >= 'a/').toBe(true);
  for (const outside of ['a', 'a-b', 'a.b', 'a0', 'ab']) expect(outside < end && outside >= 'a/').toBe(false);
});

test('bytes are counted as TextEncoder makes them', () => {
  for (const text of ['', 'abc', 'é', '€', '🔑', 'a🔑é€']) expect(byteLength(text)).toBe(new TextEncoder().encode(text).length);
});

test('the depth of a key is the number of its segments', () => {
  expect(depthOf('a')).toBe(1);
  expect(depthOf('a/b/c')).toBe(3);
});

test('a name becomes one segment and back', () => {
  for (const name of ['a', 'a/b', '%', '%2F', 'a%2Fb/c%', '/']) {
    expect(encodeSegment(name)).not.toContain('/');
    expect(decodeSegment(encodeSegment(name))).toBe(name);
  }
});
