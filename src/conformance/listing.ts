/** Listing: a directory, whole, in order, and nothing but it. */
import { firstValueFrom } from 'rxjs';
import { text } from '../text.js';
import { keysOf, order, pairsOf } from './contents.js';
import { consistentTransactions, onTwo, proof, type Topic } from './topic.js';
import { refused, settles } from './waiting.js';

export const listing: Topic = {
  name: 'listing',
  proofs: [
    proof('an absent directory is an empty snapshot, and so is a key without children', async ({ writer, reader, expect }) => {
      await writer.put('leaf', 'x');
      for (const directory of ['absent', 'absent/deeper', 'leaf']) {
        const snapshot = await reader.list(directory);
        expect(snapshot.size).toBe(0);
        expect(snapshot.directory).toBe(directory);
        expect([...snapshot]).toEqual([]);
      }
      await writer.delete('leaf');
      expect((await reader.list('')).size).toBe(0);
    }),

    proof('list("a") concerns a/... only: never a itself, never ab', async ({ writer, reader, expect }) => {
      for (const key of ['a', 'a/x', 'a/x/y', 'ab', 'ab/x', 'a-b/x', 'a.b', 'a.b/c', 'a0', 'A/x', 'b/a/x']) await writer.put(key, key);
      expect(pairsOf(await reader.list('a'))).toEqual({ 'a/x': 'a/x', 'a/x/y': 'a/x/y' });
      expect(keysOf(await reader.list('a/x'))).toEqual(['a/x/y']);
      expect(keysOf(await reader.list('ab'))).toEqual(['ab/x']);
      expect(keysOf(await reader.list('a-b'))).toEqual(['a-b/x']);
      expect((await reader.list('')).size).toBe(11);
    }),

    proof('a snapshot is a map in key order, with children and an object of it', async ({ writer, reader, expect }) => {
      for (const key of ['s/b', 's/a/2', 's/a/1', 's/a', 's/c']) await writer.put(key, key);
      const snapshot = await reader.list('s');
      const sorted = ['s/a', 's/a/1', 's/a/2', 's/b', 's/c'];
      expect(snapshot.size).toBe(5);
      expect([...snapshot.keys()]).toEqual(sorted);
      expect(keysOf(snapshot)).toEqual(sorted);
      expect(keysOf(snapshot.entries())).toEqual(sorted);
      expect(snapshot.has('s/a/1')).toBe(true);
      expect(snapshot.has('a/1')).toBe(false);
      expect(text(snapshot.get('s/b'))).toBe('s/b');
      expect(snapshot.get('s/none')).toBeUndefined();
      expect(snapshot.children().map(child => [child.name, child.directory, child.entry !== undefined])).toEqual([
        ['a', true, true],
        ['b', false, true],
        ['c', false, true],
      ]);
      expect(snapshot.children('s/a').map(child => child.key)).toEqual(['s/a/1', 's/a/2']);
      const object = snapshot.toObject();
      expect(Object.getPrototypeOf(object)).toBe(null);
      expect({ ...object }).toEqual({ a: 's/a', 'a/1': 's/a/1', 'a/2': 's/a/2', b: 's/b', c: 's/c' });
    }),

    proof('a snapshot stays as it was', async ({ writer, reader, expect }) => {
      await writer.put('still/a', '1');
      const before = await reader.list('still');
      await writer.put('still/a', '2');
      await writer.put('still/b', '1');
      expect(pairsOf(before)).toEqual({ 'still/a': '1' });
      const after = await reader.list('still');
      expect(pairsOf(after)).toEqual({ 'still/a': '2', 'still/b': '1' });
      expect(after.revision).toBeGreaterThanOrEqual(before.revision);
    }),

    proof('depth bounds how far down the keys lie', async ({ writer, reader, expect }) => {
      for (const key of ['t/1', 't/1/2', 't/1/2/3', 't/a/b/c', 't']) await writer.put(key, '');
      expect(keysOf(await reader.list('t', { depth: 1 }))).toEqual(['t/1']);
      expect(keysOf(await reader.list('t', { depth: 2 }))).toEqual(['t/1', 't/1/2']);
      expect(keysOf(await reader.list('t', { depth: 3 }))).toEqual(['t/1', 't/1/2', 't/1/2/3', 't/a/b/c']);
      expect(keysOf(await reader.list('', { depth: 1 }))).toEqual(['t']);
      expect((await reader.list('t', { depth: 100 })).size).toBe(4);
    }),

    proof('a depth that is no positive whole number is invalid', async ({ reader }) => {
      for (const depth of [0, -1, 1.5, Number.NaN]) {
        await refused(() => reader.list('t', { depth }), 'invalid', `list with depth ${depth}`);
        await refused(() => firstValueFrom(reader.watchTree$('t', { depth })), 'invalid', `watchTree$ with depth ${depth}`);
      }
    }),

    proof('the root directory lists every key and no record of ours', async ({ writer, reader, expect }) => {
      const lock = await writer.lock('some/lock');
      await writer.put('k', 'x', { ttl: Math.min(3_600_000, writer.capabilities.maxTtl) });
      expect(keysOf(await reader.list(''))).toEqual(['k']);
      expect((await reader.children('')).map(child => child.name)).toEqual(['k']);
      expect(keysOf(await firstValueFrom(reader.watchTree$('')))).toEqual(['k']);
      expect(await reader.get('some/lock')).toBeUndefined();
      await lock.release();
    }),

    proof('a directory of 1,500 keys is listed whole, in order, without duplicates', { ways: onTwo }, async context => {
      const { writer, reader, limit, expect } = context;
      const names = Array.from({ length: 1500 }, (_, i) => `big/${i % 7}/${i}`);
      await settles(Promise.all(names.map(async name => writer.put(name, name))), 'the puts', limit * 12);
      const snapshot = await reader.list('big');
      expect(keysOf(snapshot)).toEqual([...names].sort(order));
      expect(snapshot.size).toBe(1500);
    }),

    proof(
      'a directory of several MB is listed and watched whole',
      { ways: onTwo },
      async ({ writer, reader, capabilities, limit, expect }) => {
        const value = 'v'.repeat(Math.min(100_000, capabilities.maxValue));
        const names = Array.from({ length: 60 }, (_, i) => `heavy/${i}`);
        await settles(Promise.all(names.map(async name => writer.put(name, value))), 'the puts', limit * 6);
        for (const snapshot of [await reader.list('heavy'), await firstValueFrom(reader.watchTree$('heavy'))]) {
          expect(keysOf(snapshot)).toEqual([...names].sort(order));
          expect([...snapshot].every(entry => text(entry) === value)).toBe(true);
        }
      },
    ),

    proof('a list under churn ends, and holds what stood still', { ways: onTwo }, async ({ writer, reader, limit, expect }) => {
      for (let i = 0; i < 20; i++) await writer.put(`churn/still/${i}`, 'x');
      let going = true;
      const churning = (async (): Promise<void> => {
        for (let i = 0; going; i++) await (i % 2 === 0 ? writer.put('churn/moving', String(i)) : writer.delete('churn/moving'));
      })();
      for (let i = 0; i < 10; i++) {
        const snapshot = await settles(reader.list('churn'), 'a list under churn', limit);
        expect(keysOf(snapshot).filter(key => key !== 'churn/moving').length).toBe(20);
      }
      going = false;
      await churning;
    }),

    proof('guarantee 2: a list never shows half a transaction', { capable: consistentTransactions, ways: onTwo }, async context => {
      const { writer, reader, expect } = context;
      let going = true;
      const writing = (async (): Promise<void> => {
        for (let i = 0; going; i++) {
          const value = String(i);
          await writer.transaction({ ops: ['half/a', 'half/m/n', 'half/z'].map(put => ({ put, value })) });
        }
      })();
      for (let i = 0; i < 30; i++) {
        const values = Object.values(pairsOf(await reader.list('half')));
        expect(new Set(values).size).toBeLessThanOrEqual(1);
        expect([0, 3]).toContain(values.length);
      }
      going = false;
      await writing;
    }),
  ],
};
