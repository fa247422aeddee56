/** Compare-and-set: create, replace and delete only what is as it was read. */
import { firstValueFrom } from 'rxjs';
import type { Entry } from '../entry.js';
import { KvError } from '../errors.js';
import type { Store } from '../interface.js';
import { text } from '../text.js';
import type { Context } from './context.js';
import { proof, type Topic } from './topic.js';
import { refused } from './waiting.js';

/** What a conflict says stood there, where the backend tells, must be what stands there. */
async function conflictOn({ reader, expect }: Context, key: string, call: () => Promise<unknown>, what: string): Promise<void> {
  const { conflicts, transient } = await refused(call, 'conflict', what);
  expect(transient).toBe(false);
  if (conflicts === undefined) return;
  expect(conflicts.map(conflict => conflict.key)).toEqual([key]);
  expect(conflicts[0]?.current).toEqual(await reader.get(key));
}

/** Runs the calls at once; how many resolved. All others must be conflicts. */
async function winners(calls: readonly (() => Promise<Entry>)[]): Promise<Entry[]> {
  const results = await Promise.allSettled(calls.map(async call => call()));
  for (const result of results) {
    if (result.status === 'rejected' && !(KvError.is(result.reason) && result.reason.code === 'conflict')) throw result.reason;
  }
  return results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
}

/** Adds one by a chain of returned entries; reads only after a conflict. */
async function increment(store: Store, key: string, from: Entry): Promise<Entry> {
  for (let previous = from; ; ) {
    try {
      return await store.atomicPut(key, String(Number(text(previous)) + 1), previous);
    } catch (error) {
      if (!KvError.is(error) || error.code !== 'conflict') throw error;
      previous = (await store.get(key)) as Entry;
    }
  }
}

export const compareAndSet: Topic = {
  name: 'compare-and-set',
  proofs: [
    proof('atomicPut of what must be absent creates once, then is a conflict', async context => {
      const { writer, reader, expect } = context;
      const created = await writer.atomicPut('new/key', 'mine', undefined);
      expect(await reader.get('new/key')).toEqual(created);
      await conflictOn(context, 'new/key', () => writer.atomicPut('new/key', 'theirs', undefined), 'a second creation');
      expect(text(await reader.get('new/key'))).toBe('mine');
      await writer.delete('new/key');
      expect(text(await writer.atomicPut('new/key', 'again', undefined))).toBe('again');
    }),

    proof('atomicPut replaces what is as it was read, from whichever read the entry comes', async ({ writer, reader, expect }) => {
      const key = 'cas/replace';
      await writer.put(key, 'put');
      const sources: Readonly<Record<string, () => Promise<Entry | undefined>>> = {
        put: async () => writer.put(key, 'by put'),
        get: async () => reader.get(key),
        list: async () => (await reader.list('cas')).get(key),
        children: async () => (await reader.children('cas'))[0]?.entry,
        watch$: async () => firstValueFrom(reader.watch$(key)),
        watchTree$: async () => (await firstValueFrom(reader.watchTree$('cas'))).get(key),
        transaction: async () => (await writer.transaction({ ops: [{ put: key, value: 'by transaction' }] }))[0],
      };
      for (const [source, read] of Object.entries(sources)) {
        const replaced = await writer.atomicPut(key, `after ${source}`, await read());
        expect(text(await reader.get(key))).toBe(`after ${source}`);
        expect(await reader.get(key)).toEqual(replaced);
      }
    }),

    proof('a stale entry is a conflict, and nothing is written', async context => {
      const { writer, reader, expect } = context;
      const old = await writer.put('stale', '1');
      await writer.put('stale', '2');
      await conflictOn(context, 'stale', () => writer.atomicPut('stale', '3', old), 'atomicPut with a stale entry');
      await conflictOn(context, 'stale', () => writer.atomicDelete('stale', old), 'atomicDelete with a stale entry');
      expect(text(await reader.get('stale'))).toBe('2');
    }),

    proof('an entry of a key that is gone is a conflict', async context => {
      const { writer, reader, expect } = context;
      const old = await writer.put('gone', '1');
      await writer.delete('gone');
      await conflictOn(context, 'gone', () => writer.atomicPut('gone', '2', old), 'atomicPut of a deleted key');
      await conflictOn(context, 'gone', () => writer.atomicDelete('gone', old), 'atomicDelete of a deleted key');
      expect(await reader.get('gone')).toBeUndefined();
    }),

    proof('a key deleted and made again with equal bytes is another key', async context => {
      const { writer, reader, connect, expect } = context;
      const rival = (await connect()).store;
      for (let round = 0; round < 3; round++) {
        const old = await writer.put('aba', 'same');
        await rival.delete('aba');
        await rival.put('aba', 'same');
        await conflictOn(context, 'aba', () => writer.atomicPut('aba', 'x', old), 'atomicPut of a key made again');
        await conflictOn(context, 'aba', () => writer.atomicDelete('aba', old), 'atomicDelete of a key made again');
        expect(text(await reader.get('aba'))).toBe('same');
      }
    }),

    proof('a key deleted and made again in one go, none of it awaited, is another key as well', async context => {
      const { writer, expect } = context;
      const calls = Array.from({ length: 20 }, () => [writer.put('aba', 'same'), writer.delete('aba')] as const);
      const last = await writer.put('aba', 'same');
      const olds = await Promise.all(calls.map(async ([put]) => put));
      for (const old of olds) {
        expect(last.revision).toBeGreaterThan(old.revision);
        await conflictOn(context, 'aba', () => writer.atomicPut('aba', 'x', old), 'atomicPut of a key made again');
      }
    }),

    proof('atomicDelete deletes what is as it was read', async ({ writer, reader, expect }) => {
      const entry = await writer.put('delete/me', 'x');
      await writer.atomicDelete('delete/me', entry);
      expect(await reader.get('delete/me')).toBeUndefined();
    }),

    proof('returned entries chain without a read between', async ({ writer, reader, expect }) => {
      let entry = await writer.atomicPut('chain', '0', undefined);
      for (let i = 1; i <= 20; i++) {
        const next = await writer.atomicPut('chain', String(i), entry);
        expect(next.revision).toBeGreaterThan(entry.revision);
        expect(next.created).toBe(entry.created);
        entry = next;
      }
      expect(text(await reader.get('chain'))).toBe('20');
      await writer.atomicDelete('chain', entry);
      expect(await reader.exists('chain')).toBe(false);
    }),

    proof('an entry is spent even by a write of equal bytes', async context => {
      const { writer } = context;
      const first = await writer.put('spent', 'same');
      const second = await writer.atomicPut('spent', 'same', first);
      await conflictOn(context, 'spent', () => writer.atomicPut('spent', 'same', first), 'a second use of the entry');
      await writer.atomicPut('spent', 'other', second);
    }),

    proof('of many who create with equal bytes exactly one wins', async ({ writer, reader, expect }) => {
      for (let round = 0; round < 5; round++) {
        const key = `race/create/${round}`;
        const stores = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? writer : reader));
        const won = await winners(stores.map(store => async () => store.atomicPut(key, 'same', undefined)));
        expect(won.length).toBe(1);
        expect(await reader.get(key)).toEqual(won[0]);
      }
    }),

    proof('of many who replace with equal bytes exactly one wins', async ({ writer, reader, expect }) => {
      for (let round = 0; round < 5; round++) {
        const key = `race/replace/${round}`;
        const previous = await writer.put(key, 'before');
        const stores = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? writer : reader));
        // Those who write what is there already come first in every other round: a backend may take that for no write.
        const value = (i: number): string => (i < 6 === (round % 2 === 0) ? 'same' : 'before');
        const won = await winners(stores.map((store, i) => async () => store.atomicPut(key, value(i), previous)));
        expect(won.length).toBe(1);
        expect(await reader.get(key)).toEqual(won[0]);
      }
    }),

    proof('of many who delete exactly one wins', async ({ writer, reader, expect }) => {
      const previous = await writer.put('race/delete', 'x');
      const calls = Array.from({ length: 8 }, (_, i) => async (): Promise<Entry> => {
        await (i % 2 === 0 ? writer : reader).atomicDelete('race/delete', previous);
        return previous;
      });
      expect((await winners(calls)).length).toBe(1);
    }),

    proof('eight clients who count by compare-and-set count every step', async ({ writer, reader, expect }) => {
      const first = await writer.put('counter', '0');
      const seen: string[] = [];
      const clients = Array.from({ length: 8 }, async (_, i) => {
        let entry = first;
        for (let step = 0; step < 8; step++) {
          entry = await increment(i % 2 === 0 ? writer : reader, 'counter', entry);
          seen.push(text(entry));
        }
      });
      await Promise.all(clients);
      expect(text(await reader.get('counter'))).toBe('64');
      expect(new Set(seen).size).toBe(64);
    }),

    proof('an entry of another key is invalid, and so is none where one is needed', async ({ writer, reader, expect }) => {
      const other = await writer.put('other', 'x');
      await writer.put('this', 'x');
      await refused(() => writer.atomicPut('this', 'y', other), 'invalid', 'atomicPut with an entry of another key');
      await refused(() => writer.atomicDelete('this', other), 'invalid', 'atomicDelete with an entry of another key');
      await refused(() => writer.atomicDelete('this', undefined as never), 'invalid', 'atomicDelete without an entry');
      const check = { checks: [{ key: 'this', entry: other }], ops: [{ delete: 'this' }] };
      await refused(() => writer.transaction(check), 'invalid', 'a check with an entry of another key');
      expect(text(await reader.get('this'))).toBe('x');
    }),

    proof('a failed compare-and-set wakes no watcher', async ({ writer, reader, record, expect }) => {
      const old = await writer.put('quiet', '1');
      await writer.put('quiet', '2');
      const seen = record(reader.watch$('quiet'));
      await seen.first('the current state');
      await refused(() => writer.atomicPut('quiet', 'x', old), 'conflict', 'a stale entry');
      await refused(() => writer.atomicPut('quiet', 'x', undefined), 'conflict', 'a creation of what is there');
      await refused(() => writer.atomicDelete('quiet', old), 'conflict', 'a stale entry');
      await writer.put('quiet', '3');
      await seen.next(entry => text(entry) === '3', 'the put after the conflicts');
      expect(seen.values.map(entry => text(entry)).filter(value => !['2', '3'].includes(value ?? ''))).toEqual([]);
    }),

    proof('an entry read through a view serves in that view', async ({ writer, expect }) => {
      const view = writer.at('cas');
      const entry = await view.put('k', '1');
      expect(text(await view.atomicPut('/k/', '2', entry))).toBe('2');
      const seen = (await view.list('')).get('k') as Entry;
      await view.atomicDelete('k', seen);
      expect(await writer.exists('cas/k')).toBe(false);
    }),
  ],
};
