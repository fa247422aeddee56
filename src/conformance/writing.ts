/** Writing: put and delete, any bytes, and writes in order. */
import { text } from '../text.js';
import { bytesOf, keysOf, pairsOf } from './contents.js';
import { proof, type Topic } from './topic.js';
import { refused, settles } from './waiting.js';

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/** Bytes that a client, a codec or a marker of absence could take for something else. */
const oddValues: Readonly<Record<string, Uint8Array>> = {
  nothing: new Uint8Array(),
  NUL: Uint8Array.of(0),
  '0x01': Uint8Array.of(1),
  '0xFF': Uint8Array.of(255),
  'every byte': everyByte,
  'no UTF-8': Uint8Array.of(0, 255, 128, 10, 13, 254, 1, 0xc3, 0x28, 0xed, 0xa0, 0x80),
  'a byte order mark': Uint8Array.of(0xef, 0xbb, 0xbf, 0x61),
  'white space': Uint8Array.of(10, 13, 9, 32, 0),
  'JSON null': new TextEncoder().encode('null'),
};

/** Bytes that do not compress and do not repeat. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, x = 1; i < length; i++) {
    x = (x * 1_103_515_245 + 12_345) % 2_147_483_648;
    bytes[i] = x >> 16;
  }
  return bytes;
}

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, at) => byte === b[at]);
}

export const writing: Topic = {
  name: 'writing',
  proofs: [
    proof('put writes, whatever the key was, and says what it wrote', async ({ writer, reader, expect }) => {
      for (const value of ['first', 'second', '']) {
        const entry = await writer.put('w', value);
        expect(entry.key).toBe('w');
        expect(text(entry)).toBe(value);
        expect(text(await reader.get('w'))).toBe(value);
      }
    }),

    ...Object.entries(oddValues).map(([name, value]) =>
      proof(`guarantee 11: ${name} comes back as it went in, by every way of writing and reading`, async ({ writer, reader, expect }) => {
        const put = await writer.put('bin/put', value);
        const created = await writer.atomicPut('bin/created', value, undefined);
        await writer.atomicPut('bin/replaced', value, await writer.put('bin/replaced', 'before'));
        await writer.update('bin/updated', () => value);
        await writer.transaction({ ops: [{ put: 'bin/transacted', value }] });
        expect(bytesOf(put)).toEqual([...value]);
        expect(bytesOf(created)).toEqual([...value]);
        for (const key of ['put', 'created', 'replaced', 'updated', 'transacted']) {
          expect(bytesOf(await reader.get(`bin/${key}`))).toEqual([...value]);
          expect(await reader.exists(`bin/${key}`)).toBe(true);
        }
        const snapshot = await reader.list('bin');
        expect(snapshot.size).toBe(5);
        for (const entry of snapshot) expect(bytesOf(entry)).toEqual([...value]);
      }),
    ),

    proof(
      'guarantee 11: 1 MB comes back as it went in, or as much as the driver takes',
      async ({ writer, reader, capabilities, expect }) => {
        const large = noise(Math.min(1_048_576, capabilities.maxValue));
        await writer.put('large', large);
        expect(same((await reader.get('large'))?.value, large)).toBe(true);
      },
    ),

    proof('strings are UTF-8', async ({ writer, reader, expect }) => {
      for (const value of ['grüß', '😀', '\ufeffmarked', 'a\u0000b', '名前']) {
        await writer.put('utf8', value);
        expect(bytesOf(await reader.get('utf8'))).toEqual([...new TextEncoder().encode(value)]);
        expect(text(await reader.get('utf8'))).toBe(value);
      }
    }),

    proof("bytes are copied at the call: the caller's buffer is its own again", async ({ writer, reader, expect }) => {
      const buffer = Uint8Array.of(9, 1, 2, 3, 9).subarray(1, 4);
      const written = writer.put('copied', buffer);
      buffer.fill(7);
      const entry = await written;
      buffer.fill(8);
      expect(bytesOf(entry)).toEqual([1, 2, 3]);
      expect(bytesOf(await reader.get('copied'))).toEqual([1, 2, 3]);
    }),

    proof('what is neither string nor bytes is invalid, and nothing is written', async ({ writer, reader, expect }) => {
      for (const wrong of [undefined, null, 42, {}, [1], true, 1n]) {
        const value = wrong as never;
        await refused(() => writer.put('wrong', value), 'invalid', `put of ${typeof wrong}`);
        await refused(() => writer.atomicPut('wrong', value, undefined), 'invalid', `atomicPut of ${typeof wrong}`);
        await refused(() => writer.transaction({ ops: [{ put: 'wrong', value }] }), 'invalid', `a transaction that puts ${typeof wrong}`);
      }
      expect(await reader.get('wrong')).toBeUndefined();
    }),

    proof('delete says whether there was something to delete', async ({ writer, reader, expect }) => {
      await writer.put('d', 'x');
      expect(await writer.delete('d')).toBe(true);
      expect(await writer.delete('d')).toBe(false);
      expect(await reader.get('d')).toBeUndefined();
      expect(await writer.delete('never/there')).toBe(false);
    }),

    proof('a key and a directory may have the same name, put in either order', async ({ writer, reader, expect }) => {
      for (const keys of [
        ['down', 'down/x', 'down/x/y'],
        ['up/x/y', 'up/x', 'up'],
      ]) {
        for (const key of keys) await writer.put(key, `value of ${key}`);
        for (const key of keys) expect(text(await reader.get(key))).toBe(`value of ${key}`);
      }
    }),

    proof('deleting a key leaves its children, deleting a child leaves its parent', async ({ writer, reader, expect }) => {
      for (const key of ['a', 'a/b', 'a/b/c']) await writer.put(key, key);
      expect(await writer.delete('a/b')).toBe(true);
      expect(keysOf(await reader.list(''))).toEqual(['a', 'a/b/c']);
      expect(await writer.delete('a')).toBe(true);
      expect(keysOf(await reader.list(''))).toEqual(['a/b/c']);
      expect(await writer.delete('a')).toBe(false);
      await writer.put('a', 'again');
      expect(await writer.delete('a/b/c')).toBe(true);
      expect(pairsOf(await reader.list(''))).toEqual({ a: 'again' });
    }),

    proof('un-awaited writes of one key keep call order', async ({ writer, reader, expect }) => {
      const calls = Array.from({ length: 100 }, async (_, i) => writer.put('ordered', String(i)));
      const entries = await Promise.all(calls);
      expect(text(await reader.get('ordered'))).toBe('99');
      for (let i = 1; i < entries.length; i++) {
        expect(entries[i]?.revision ?? 0n).toBeGreaterThan(entries[i - 1]?.revision ?? 0n);
      }
      await Promise.all([writer.put('ordered', 'x'), writer.delete('ordered')]);
      expect(await reader.get('ordered')).toBeUndefined();
      await Promise.all([writer.delete('ordered'), writer.put('ordered', 'last')]);
      expect(text(await reader.get('ordered'))).toBe('last');
    }),

    proof('calls on many keys at once each have their own result', async ({ writer, reader, limit, expect }) => {
      const names = Array.from({ length: 200 }, (_, i) => `many/${i}`);
      const written = await settles(Promise.all(names.map(async name => writer.put(name, name))), 'two hundred puts', limit * 4);
      expect(written.map(entry => entry.key)).toEqual(names);
      const read = await Promise.all(names.map(async name => reader.get(name)));
      expect(read.map(entry => text(entry))).toEqual(names);
      const deleted = await Promise.all([...names, 'many/none'].map(async name => writer.delete(name)));
      expect(deleted).toEqual([...names.map(() => true), false]);
    }),

    proof('guarantee 10: put, atomicPut, atomicDelete and delete take one round trip', { hooks: ['roundTrips'] }, async context => {
      const { harness, writer, writing, expect } = context;
      const most = harness.tripsPerCall ?? 1;
      const cost = async <T>(call: () => Promise<T>): Promise<T> => {
        const before = harness.roundTrips?.(writing.driver) ?? 0;
        const result = await call();
        expect((harness.roundTrips?.(writing.driver) ?? 0) - before).toBeLessThanOrEqual(most);
        return result;
      };
      await writer.put('trip', 'warm');
      await cost(async () => writer.put('trip', '1'));
      await cost(async () => writer.delete('trip'));
      const created = await cost(async () => writer.atomicPut('trip', '2', undefined));
      const replaced = await cost(async () => writer.atomicPut('trip', '3', created));
      await cost(async () => writer.atomicDelete('trip', replaced));
    }),
  ],
};
