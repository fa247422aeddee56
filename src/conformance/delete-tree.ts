/** Deleting trees: a directory, whole, and nothing beside it. */
import { keysOf, pairsOf } from './contents.js';
import { onTwo, proof, type Topic, wholeRanges } from './topic.js';
import { quietFor, settles } from './waiting.js';

export const deleteTree: Topic = {
  name: 'delete-tree',
  proofs: [
    proof('deleteTree("a") concerns a/... only: never a itself, never ab', async ({ writer, reader, expect }) => {
      for (const key of ['a', 'a/x', 'a/x/y', 'a/x/y/z', 'ab', 'ab/x', 'a-b/x', 'a.b', 'a0', 'A/x']) await writer.put(key, key);
      await writer.deleteTree('a');
      expect(keysOf(await reader.list(''))).toEqual(['A/x', 'a', 'a-b/x', 'a.b', 'a0', 'ab', 'ab/x']);
      await writer.deleteTree('/ab/');
      expect(keysOf(await reader.list(''))).toEqual(['A/x', 'a', 'a-b/x', 'a.b', 'a0', 'ab']);
    }),

    proof('an absent directory and a key without children are no errors', async ({ writer, reader, expect }) => {
      await writer.put('leaf', 'x');
      await writer.deleteTree('absent');
      await writer.deleteTree('leaf');
      await writer.deleteTree('leaf/deeper');
      expect(pairsOf(await reader.list(''))).toEqual({ leaf: 'x' });
    }),

    proof('the root is a directory too: deleteTree("") leaves no key', async ({ writer, reader, expect }) => {
      for (const key of ['a', 'a/b', 'c/d/e', '!', '~', '\uffff', '😀/x']) await writer.put(key, key);
      await writer.deleteTree('');
      expect((await reader.list('')).size).toBe(0);
      expect(await reader.children('')).toEqual([]);
    }),

    proof('no deleteTree touches a lock: it stays held and nobody else gets it', async ({ writer, reader, connect, record, expect }) => {
      const lock = await writer.lock('a');
      const rival = record((await connect()).store.lock$('a'));
      await writer.put('a/b', 'x');
      await writer.deleteTree('a');
      await writer.deleteTree('');
      await quietFor(100, 'the rival must not get the lock');
      expect(lock.held).toBe(true);
      expect(rival.values).toEqual([]);
      expect((await reader.list('')).size).toBe(0);
      await lock.release();
      await rival.next(({ held }) => held, 'the rival to get the lock once it is released');
    }),

    proof('deleteTree("") of a view leaves what lies outside', async ({ writer, reader, expect }) => {
      for (const key of ['in/a', 'in/b/c', 'in', 'inner/x', 'out']) await writer.put(key, key);
      await writer.at('in').deleteTree('');
      expect(keysOf(await reader.list(''))).toEqual(['in', 'inner/x', 'out']);
    }),

    proof('a large directory goes too, in as many steps as it takes', { ways: onTwo }, async ({ writer, reader, limit, expect }) => {
      const names = Array.from({ length: 700 }, (_, i) => `large/${i % 9}/${i}`);
      await settles(Promise.all(names.map(async name => writer.put(name, ''))), 'the puts', limit * 6);
      await writer.put('large2', 'x');
      await writer.deleteTree('large');
      expect(keysOf(await reader.list(''))).toEqual(['large2']);
    }),

    proof('what was there when it began is gone, whatever others write meanwhile', { ways: onTwo }, async ({ writer, reader, expect }) => {
      for (let i = 0; i < 60; i++) await writer.put(`busy/${i % 6}/old${i}`, 'x');
      let going = true;
      const written: string[] = [];
      const writing = (async (): Promise<void> => {
        for (let i = 0; going; i++) written.push((await reader.put(`busy/${i % 6}/new${i}`, 'x')).key);
      })();
      await writer.deleteTree('busy');
      going = false;
      await writing;
      const left = keysOf(await reader.list('busy'));
      expect(left.filter(key => !written.includes(key))).toEqual([]);
    }),

    proof(
      'where ranges are atomic a watcher sees all of it or nothing',
      { capable: wholeRanges },
      async ({ writer, reader, record, expect }) => {
        const seen = record(reader.watchTree$('atomic'));
        for (let i = 0; i < 30; i++) await writer.put(`atomic/${i % 4}/${i}`, 'x');
        await seen.next(snapshot => snapshot.size === 30, 'all thirty keys');
        const from = seen.values.length;
        await writer.deleteTree('atomic');
        await seen.next(snapshot => snapshot.size === 0, 'the empty directory');
        expect(seen.values.slice(from).map(snapshot => snapshot.size)).toEqual([0]);
      },
    ),

    proof('deleteTree is a deleted event for each key to watchers of each', async ({ writer, reader, record, expect }) => {
      await writer.put('w/a', 'x');
      await writer.put('w/b/c', 'x');
      const key = record(reader.watch$('w/b/c'));
      const tree = record(reader.watchTree$('w/b'));
      await key.next(entry => entry !== undefined, 'the key');
      await tree.next(snapshot => snapshot.size === 1, 'the directory');
      await writer.deleteTree('w');
      await key.next(entry => entry === undefined, 'the deletion of the key');
      await tree.next(snapshot => snapshot.size === 0, 'the deletion in the directory');
      expect(key.ended || tree.ended).toBe(false);
    }),
  ],
};
