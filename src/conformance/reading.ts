/** Reading: one key, its children, and what an entry says of itself. */
import { firstValueFrom } from 'rxjs';
import { text } from '../text.js';
import { keysOf } from './contents.js';
import { type Capability, proof, type Topic } from './topic.js';
import { refused, until } from './waiting.js';

const linearizable: Capability = {
  absent: 'strongReads is "best-effort"',
  present: ({ strongReads }) => strongReads === 'linearizable',
};

export const reading: Topic = {
  name: 'reading',
  proofs: [
    proof('get of an absent key is undefined, never an error', async ({ writer, reader, expect }) => {
      expect(await reader.get('absent')).toBeUndefined();
      expect(await reader.exists('absent')).toBe(false);
      await writer.put('a/b', 'x');
      expect(await reader.get('a/b/c')).toBeUndefined();
    }),

    proof('a directory that nobody put is no key', async ({ writer, reader, expect }) => {
      await writer.put('a/b/c', 'x');
      for (const directory of ['a', 'a/b']) {
        expect(await reader.get(directory)).toBeUndefined();
        expect(await reader.exists(directory)).toBe(false);
        expect(await firstValueFrom(reader.watch$(directory))).toBeUndefined();
      }
      expect(keysOf(await reader.list(''))).toEqual(['a/b/c']);
    }),

    proof('an entry says its key, bytes, revision, creation, and that it is not leased', async ({ writer, reader, expect }) => {
      await writer.put('e/1', 'one');
      const entry = await reader.get('e/1');
      expect(entry?.key).toBe('e/1');
      expect(entry?.value instanceof Uint8Array).toBe(true);
      expect(text(entry)).toBe('one');
      expect(typeof entry?.revision).toBe('bigint');
      expect(entry?.created).toBe(entry?.revision);
      expect(entry?.leased).toBe(false);
      expect(await reader.exists('e/1')).toBe(true);
    }),

    proof('what put returns is what get, list and watches give', async ({ writer, reader, expect }) => {
      const written = await writer.put('same/key', 'v');
      expect(await reader.get('same/key')).toEqual(written);
      expect((await reader.list('same')).get('same/key')).toEqual(written);
      expect(await firstValueFrom(reader.watch$('same/key'))).toEqual(written);
      expect((await firstValueFrom(reader.watchTree$('same'))).get('same/key')).toEqual(written);
      expect((await reader.children('same'))[0]?.entry).toEqual(written);
    }),

    proof('revision orders the writes of one key, over its deletion too', async ({ writer, reader, expect }) => {
      const first = await writer.put('r', '1');
      const second = await writer.put('r', '2');
      await writer.delete('r');
      const third = await writer.put('r', '3');
      expect(second.revision).toBeGreaterThan(first.revision);
      expect(third.revision).toBeGreaterThan(second.revision);
      expect(second.created).toBe(first.created);
      expect(third.created).toBe(third.revision);
      expect((await reader.get('r'))?.revision).toBe(third.revision);
    }),

    proof('a strong read sees every write acknowledged before it', { capable: linearizable }, async ({ writer, reader, expect }) => {
      for (let i = 0; i < 50; i++) {
        await writer.put('strong/k', String(i));
        expect(text(await reader.get('strong/k'))).toBe(String(i));
        expect(text((await reader.list('strong')).get('strong/k'))).toBe(String(i));
      }
      await writer.delete('strong/k');
      expect(await reader.get('strong/k')).toBeUndefined();
    }),

    proof('a stale read is answered too, and sees the write in the end', async ({ writer, reader, limit, expect }) => {
      await writer.put('stale/k', 'v');
      await until(async () => text(await reader.get('stale/k', { consistency: 'stale' })) === 'v', 'the stale get to see the put', limit);
      await until(async () => (await reader.list('stale', { consistency: 'stale' })).size === 1, 'the stale list to see the put', limit);
      expect(await reader.exists('stale/k', { consistency: 'stale' })).toBe(true);
    }),

    proof('an unknown consistency is invalid', async ({ reader }) => {
      await refused(() => reader.get('k', { consistency: 'strongest' as never }), 'invalid', 'get with an unknown consistency');
    }),

    proof('children() is one level by name, keys and directories, and both at once', async ({ writer, reader, expect }) => {
      for (const key of ['p', 'p/b', 'p/a/x/y', 'p/a/z', 'p/c', 'p/c/d', 'pq', 'p-b/x']) await writer.put(key, key);
      const found = await reader.children('p');
      expect(found.map(({ name, key, directory, entry }) => ({ name, key, directory, value: text(entry) }))).toEqual([
        { name: 'a', key: 'p/a', directory: true, value: undefined },
        { name: 'b', key: 'p/b', directory: false, value: 'p/b' },
        { name: 'c', key: 'p/c', directory: true, value: 'p/c' },
      ]);
      expect((await reader.children('')).map(child => child.name)).toEqual(['p', 'p-b', 'pq']);
      expect(await reader.children('p/b')).toEqual([]);
      expect(await reader.children('absent')).toEqual([]);
    }),

    proof('a directory is gone with its last key: no phantoms', async ({ writer, reader, expect }) => {
      await writer.put('d/e/f', 'x');
      await writer.delete('d/e/f');
      expect(await reader.children('')).toEqual([]);
      expect(await reader.children('d')).toEqual([]);
      expect((await reader.list('')).size).toBe(0);
    }),

    proof('guarantee 10: get takes one round trip', { hooks: ['roundTrips'] }, async ({ harness, writer, reader, reading, expect }) => {
      await writer.put('trip', 'x');
      await reader.get('trip');
      const before = harness.roundTrips?.(reading.driver) ?? 0;
      await reader.get('trip');
      expect((harness.roundTrips?.(reading.driver) ?? 0) - before).toBeLessThanOrEqual(harness.tripsPerCall ?? 1);
    }),
  ],
};
