/** A keyspace: which of etcd's keys are whose, byte for byte. */
import { expect, test } from 'vitest';
import { afterPrefix, entryOf, Keyspace } from '../../../src/backends/etcd/keyspace.js';
import { Foreign } from '../../../src/foreign.js';

const bytes = (text: string): Buffer => Buffer.from(text);

function keyspace(root: string): { keyspace: Keyspace; told: unknown[] } {
  const told: unknown[] = [];
  return { keyspace: new Keyspace(root, new Foreign('etcd', { warn: (_message, detail) => told.push(detail) })), told };
}

test('a prefix ends where its last byte is one higher, and is endless where there is none', () => {
  expect(afterPrefix(bytes('a/'))).toEqual(bytes('a0'));
  expect(afterPrefix(Buffer.from([0x61, 0xff, 0xff]))).toEqual(bytes('b'));
  expect(afterPrefix(Buffer.from([0xff, 0xff]))).toEqual(Buffer.from([0]));
  expect(afterPrefix(Buffer.alloc(0))).toEqual(Buffer.from([0]));
});

test('the range of a directory has what is below it: not itself, and not what only begins like it', () => {
  const { key, range_end: end } = keyspace('app/').keyspace.range({ prefix: 'a/' });
  const within = (text: string): boolean => bytes(text).compare(key) >= 0 && bytes(text).compare(end ?? key) < 0;
  expect(['app/a/', 'app/a/b', 'app/a/\u{10ffff}'].map(within)).toEqual([true, true, true]);
  expect(['app/a', 'app/ab', 'app/a0', 'app/b', 'a/b'].map(within)).toEqual([false, false, false, false, false]);
});

test('without a root the range of everything is etcd’s own', () => {
  const nul = Buffer.from([0]);
  expect(keyspace('').keyspace.range({ prefix: '' })).toEqual({ key: nul, range_end: nul });
  expect(keyspace('').keyspace.range({ key: 'k' })).toEqual({ key: bytes('k') });
});

test('the pieces of everything leave our own records out, those of a directory are one', () => {
  expect(keyspace('app/').keyspace.pieces({ prefix: '' })).toEqual([
    { key: bytes('app/'), range_end: bytes('app/~rxkv/') },
    { key: bytes('app/~rxkv0'), range_end: bytes('app0') },
  ]);
  expect(keyspace('').keyspace.pieces({ prefix: '' })).toEqual([
    { key: Buffer.from([0]), range_end: bytes('~rxkv/') },
    { key: bytes('~rxkv0'), range_end: Buffer.from([0]) },
  ]);
  expect(keyspace('app/').keyspace.pieces({ prefix: 'a/' }).length).toBe(1);
});

test('__proto__ and every other word of the language are keys like others', () => {
  const { keyspace: own } = keyspace('app/');
  for (const word of ['__proto__', 'constructor', 'toString', 'a/__proto__']) expect(own.relative(own.key(word))).toBe(word);
});

test('records that are no valid key are left out, counted once each, and the first is told', () => {
  const { keyspace: own, told } = keyspace('app/');
  const foreign = [bytes('app/'), bytes('app//a'), bytes('app/a/'), Buffer.concat([bytes('app/'), Buffer.from([0xff, 0xfe])])];
  for (const key of [...foreign, ...foreign]) expect(own.relative(key)).toBeUndefined();
  expect([own.foreign.count, told]).toEqual([4, [{ first: '' }]]);
});

test('two keys of broken UTF-8 are no one key, and a replacement character that was written is itself', () => {
  const { keyspace: own } = keyspace('');
  expect(own.relative(Buffer.from([0x61, 0xff]))).toBeUndefined();
  expect(own.relative(bytes('a\ufffd'))).toBe('a\ufffd');
  expect(own.foreign.count).toBe(1);
});

test('our own records are seen by who asks below them, and by nobody else', () => {
  const { keyspace: own } = keyspace('app/');
  const record = own.key('~rxkv/job/1-1');
  expect(own.within({ prefix: '' }, record)).toBeUndefined();
  expect(own.within({ prefix: '~rxkv/job/' }, record)).toBe('~rxkv/job/1-1');
  expect(own.within({ key: '~rxkv/job/1-1' }, record)).toBe('~rxkv/job/1-1');
  expect(own.foreign.count).toBe(0);
});

test('an entry has a copy of its value: what was received is a part of a larger answer', () => {
  const answer = Buffer.from('..value..');
  const kv = {
    key: bytes('k'),
    value: answer.subarray(2, 7),
    create_revision: '9007199254740993',
    mod_revision: '9007199254740995',
    lease: '1',
  };
  const entry = entryOf(kv, 'k');
  answer.fill(0);
  expect(entry).toEqual({
    key: 'k',
    value: new Uint8Array(bytes('value')),
    revision: 9007199254740995n,
    created: 9007199254740993n,
    leased: true,
  });
  expect(entry.value.buffer.byteLength).toBe(5);
});
