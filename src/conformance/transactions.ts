/** Transactions: all or nothing, one result an op, and seen whole. */
import type { Entry } from '../entry.js';
import { KvError } from '../errors.js';
import type { Op, Store } from '../interface.js';
import { text } from '../text.js';
import { pairsOf } from './contents.js';
import { type Capability, consistentTransactions, proof, severalKeys, type Topic, wholeRanges } from './topic.js';
import { refused } from './waiting.js';

const singleKeys: Capability = { absent: 'several keys are atomic', present: ({ atomic }) => atomic === 'key' };

const boundedOps: Capability = { absent: 'maxOps is over 5000', present: ({ maxOps }) => maxOps <= 5000 };

const severalOps: Capability = {
  absent: 'maxOps is over 5000, or only single keys are atomic',
  present: ({ maxOps, atomic }) => maxOps <= 5000 && atomic !== 'key',
};

const boundedBytes: Capability = {
  absent: 'maxTransaction is over 32 MB',
  present: ({ maxTransaction, maxOps, maxValue }) => maxTransaction <= 33_554_432 && maxOps * maxValue > maxTransaction,
};

/** Moves one from an account to the other if both are as read; again while others come in between. */
async function transfer(store: Store, from: string, to: string): Promise<void> {
  for (;;) {
    const accounts = await Promise.all([store.get(from), store.get(to)]);
    const [source, target] = accounts as [Entry, Entry];
    try {
      await store.transaction({
        checks: [source, target].map(entry => ({ key: entry.key, entry })),
        ops: [
          { put: from, value: String(Number(text(source)) - 1) },
          { put: to, value: String(Number(text(target)) + 1) },
        ],
      });
      return;
    } catch (error) {
      if (!KvError.is(error) || error.code !== 'conflict') throw error;
    }
  }
}

export const transactions: Topic = {
  name: 'transactions',
  proofs: [
    proof('a transaction of one op is what the call is', async ({ writer, reader, expect }) => {
      const [put] = await writer.transaction({ ops: [{ put: 'one', value: 'x' }] });
      expect(await reader.get('one')).toEqual(put);
      expect(await writer.transaction({ ops: [{ delete: 'one' }] })).toEqual([undefined]);
      expect(await reader.exists('one')).toBe(false);
      await writer.transaction({ checks: [{ key: 'one', entry: undefined }], ops: [{ put: 'one', value: 'y' }] });
      expect(text(await reader.get('one'))).toBe('y');
    }),

    proof(
      'each op has its result: the entry of a put, undefined of a delete',
      { capable: severalKeys },
      async ({ writer, reader, expect }) => {
        await writer.put('t/old', 'x');
        const results = await writer.transaction({
          ops: [{ put: 't/a', value: '1' }, { delete: 't/old' }, { put: 't/b', value: '2' }, { delete: 't/never' }],
        });
        expect(results.length).toBe(4);
        expect(results[0]).toEqual(await reader.get('t/a'));
        expect(results[1]).toBeUndefined();
        expect(results[2]).toEqual(await reader.get('t/b'));
        expect(results[3]).toBeUndefined();
        expect(pairsOf(await reader.list('t'))).toEqual({ 't/a': '1', 't/b': '2' });
      },
    ),

    proof('a failed check is a conflict, and nothing at all is written', { capable: severalKeys }, async ({ writer, reader, expect }) => {
      const old = await writer.put('c/a', '1');
      await writer.put('c/a', '2');
      const before = pairsOf(await reader.list(''));
      const ops: Op[] = [{ put: 'c/b', value: 'x' }, { delete: 'c/a' }];
      for (const checks of [
        [{ key: 'c/a', entry: old }],
        [{ key: 'c/a', entry: undefined }],
        [
          { key: 'c/none', entry: undefined },
          { key: 'c/a', entry: old },
        ],
      ]) {
        const { conflicts } = await refused(() => writer.transaction({ checks, ops }), 'conflict', 'a transaction with a failed check');
        if (conflicts !== undefined) expect(conflicts.map(({ key, current }) => [key, text(current)])).toEqual([['c/a', '2']]);
        expect(pairsOf(await reader.list(''))).toEqual(before);
      }
      const current = await reader.get('c/a');
      await writer.transaction({
        checks: [
          { key: 'c/a', entry: current },
          { key: 'c/b', entry: undefined },
        ],
        ops,
      });
      expect(pairsOf(await reader.list('c'))).toEqual({ 'c/b': 'x' });
    }),

    proof('concurrent transfers between accounts conserve their sum', { capable: severalKeys }, async ({ writer, reader, expect }) => {
      await Promise.all(['x', 'y', 'z'].map(async name => writer.put(`bank/${name}`, '10')));
      const moves = Array.from({ length: 12 }, async (_, i) => {
        const names = ['x', 'y', 'z'].map(name => `bank/${name}`);
        await transfer(i % 2 === 0 ? writer : reader, names[i % 3] as string, names[(i + 1) % 3] as string);
      });
      await Promise.all(moves);
      expect(pairsOf(await reader.list('bank'))).toEqual({ 'bank/x': '10', 'bank/y': '10', 'bank/z': '10' });
    }),

    proof('guarantee 2: what one transaction wrote is seen whole by watchers', { capable: consistentTransactions }, async context => {
      const { writer, reader, record, expect } = context;
      const seen = record(reader.watchTree$('whole'));
      await seen.first('the first snapshot');
      for (let i = 0; i < 50; i++) {
        const value = String(i);
        const ops: Op[] = ['a', 'b/c', 'z'].map(name => ({ put: `whole/${name}`, value }));
        await writer.transaction({ ops: i % 10 === 9 ? ops.map(op => ({ delete: (op as { put: string }).put })) : ops });
      }
      await writer.transaction({ ops: ['a', 'b/c', 'z'].map(name => ({ put: `whole/${name}`, value: 'end' })) });
      await seen.next(snapshot => text(snapshot.get('whole/z')) === 'end', 'the last transaction');
      for (const snapshot of seen.values) {
        expect([0, 3]).toContain(snapshot.size);
        expect(new Set(Object.values(pairsOf(snapshot))).size).toBeLessThanOrEqual(1);
      }
    }),

    proof(
      'a deleteTree in a transaction clears the directory in the same step',
      { capable: wholeRanges },
      async ({ writer, reader, expect }) => {
        for (const key of ['dir/a', 'dir/b/c', 'dir', 'dirt']) await writer.put(key, key);
        const results = await writer.transaction({ ops: [{ deleteTree: 'dir' }, { put: 'marker', value: 'x' }] });
        expect([results[0], text(results[1])]).toEqual([undefined, 'x']);
        expect(pairsOf(await reader.list(''))).toEqual({ dir: 'dir', dirt: 'dirt', marker: 'x' });
      },
    ),

    proof('a put in a transaction takes a ttl', { capable: severalKeys }, async ({ writer, reader, capabilities, expect }) => {
      const ttl = Math.min(3_600_000, capabilities.maxTtl);
      const ops: Op[] = [
        { put: 'l/a', value: 'x', ttl },
        { put: 'l/b', value: 'x' },
      ];
      expect((await writer.transaction({ ops })).map(entry => entry?.leased)).toEqual([true, false]);
      expect((await writer.transaction({ ops: [{ put: 'l/a', value: 'y', ttl: 'keep' }] }))[0]?.leased).toBe(true);
      expect((await writer.transaction({ ops: [{ put: 'l/a', value: 'z' }] }))[0]?.leased).toBe(false);
      expect((await reader.get('l/a'))?.leased).toBe(false);
    }),

    proof(
      'each key at most once, and no op inside a deleteTree of the same transaction: else invalid',
      async ({ writer, reader, expect }) => {
        const value = 'x';
        const wrong: Readonly<Record<string, readonly Op[]>> = {
          'put twice': [
            { put: 'k', value },
            { put: 'k', value },
          ],
          'put in two spellings': [
            { put: 'k', value },
            { put: '/k/', value },
          ],
          'put and deleted': [{ put: 'k', value }, { delete: 'k' }],
          'deleted twice': [{ delete: 'k' }, { delete: 'k' }],
          'put inside a deleteTree': [{ deleteTree: 'd' }, { put: 'd/k', value }],
          'put inside a later deleteTree': [{ put: 'd/e/k', value }, { deleteTree: 'd' }],
          'deleted inside a deleteTree': [{ deleteTree: 'd' }, { delete: 'd/k' }],
          'a deleteTree inside another': [{ deleteTree: 'd' }, { deleteTree: 'd/e' }],
          'a deleteTree twice': [{ deleteTree: 'd' }, { deleteTree: '/d/' }],
          'anything beside deleteTree of the root': [{ deleteTree: '' }, { put: 'k', value }],
        };
        for (const [what, ops] of Object.entries(wrong)) await refused(() => writer.transaction({ ops }), 'invalid', what);
        expect((await reader.list('')).size).toBe(0);
      },
    ),

    proof('an op or check that names two things, or none, is invalid', async ({ writer, reader, expect }) => {
      const fine: Op = { put: 'fine', value: 'x' };
      const lock = await writer.lock('two-named');
      const wrongOps = [
        { put: 'a', value: 'x', delete: 'b' },
        { delete: 'a', deleteTree: 'b' },
        { put: 'a', value: 'x', deleteTree: 'b' },
        {},
        { got: 'a' },
        null,
      ];
      for (const op of wrongOps) await refused(() => writer.transaction({ ops: [op as never] }), 'invalid', `the op ${JSON.stringify(op)}`);
      for (const check of [{ key: 'a', entry: undefined, lock }, {}, null]) {
        await refused(
          () => writer.transaction({ checks: [check as never], ops: [fine] }),
          'invalid',
          `the check ${Object.keys(check ?? {}).join()}`,
        );
      }
      expect((await reader.list('')).size).toBe(0);
    }),

    proof('several keys where only single ones are atomic are unsupported, before any write', { capable: singleKeys }, async context => {
      const { writer, reader, expect } = context;
      const ops: Op[] = [
        { put: 'u/a', value: 'x' },
        { put: 'u/b', value: 'x' },
      ];
      await refused(() => writer.transaction({ ops }), 'unsupported', 'a transaction of two keys');
      expect((await reader.list('')).size).toBe(0);
    }),

    proof(
      'more ops than maxOps are invalid, before any write',
      { capable: boundedOps },
      async ({ writer, reader, capabilities, expect }) => {
        const ops = Array.from({ length: capabilities.maxOps + 1 }, (_, i): Op => ({ put: `ops/${i}`, value: 'x' }));
        const expected = capabilities.atomic === 'key' ? (['invalid', 'unsupported'] as const) : 'invalid';
        await refused(() => writer.transaction({ ops }), expected, `a transaction of ${ops.length} ops`);
        expect((await reader.list('')).size).toBe(0);
      },
    ),

    proof('as many ops as maxOps are one transaction', { capable: severalOps }, async ({ writer, reader, capabilities, expect }) => {
      const ops = Array.from({ length: capabilities.maxOps }, (_, i): Op => ({ put: `ops/${i}`, value: 'x' }));
      expect((await writer.transaction({ ops })).length).toBe(ops.length);
      expect((await reader.list('ops')).size).toBe(ops.length);
    }),

    proof(
      'more bytes than maxTransaction are invalid, before any write',
      { capable: boundedBytes },
      async ({ writer, reader, capabilities, expect }) => {
        const { maxValue, maxTransaction } = capabilities;
        const value = new Uint8Array(Math.min(maxValue, maxTransaction));
        const count = Math.floor(maxTransaction / value.length) + 1;
        const ops = Array.from({ length: count }, (_, i): Op => ({ put: `bytes/${i}`, value }));
        await refused(() => writer.transaction({ ops }), 'invalid', `a transaction of ${count * value.length} bytes`);
        expect((await reader.list('')).size).toBe(0);
      },
    ),
  ],
};
