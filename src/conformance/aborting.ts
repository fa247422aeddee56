/** Aborting: the caller's signal, and its time limit, on every call. */
import type { Entry } from '../entry.js';
import type { CallOptions, Store } from '../interface.js';
import { proof, type Topic } from './topic.js';
import { refused } from './waiting.js';

/** Every call that takes a signal. */
const calls: Readonly<Record<string, (store: Store, options: CallOptions, entry: Entry) => Promise<unknown>>> = {
  ready: (store, options) => store.ready(options),
  health: (store, options) => store.health(options),
  get: (store, options) => store.get('k', options),
  exists: (store, options) => store.exists('k', options),
  list: (store, options) => store.list('', options),
  children: (store, options) => store.children('', options),
  put: (store, options) => store.put('k', 'changed', options),
  delete: (store, options) => store.delete('k', options),
  deleteTree: (store, options) => store.deleteTree('', options),
  atomicPut: (store, options, entry) => store.atomicPut('k', 'changed', entry, options),
  atomicDelete: (store, options, entry) => store.atomicDelete('k', entry, options),
  update: (store, options) => store.update('k', () => 'changed', options),
  transaction: (store, options) => store.transaction({ ops: [{ put: 'k', value: 'changed' }] }, options),
  lock: (store, options) => store.lock('k', options),
  withLock: (store, options) => store.withLock('k', async () => undefined, options),
};

export const aborting: Topic = {
  name: 'aborting',
  proofs: [
    proof(
      'a signal that is aborted already rejects with aborted, its reason as cause, and nothing is done',
      async ({ writer, reader, expect }) => {
        const entry = await writer.put('k', 'x');
        const reason = new Error('too late');
        for (const [name, call] of Object.entries(calls)) {
          const error = await refused(() => call(writer, { signal: AbortSignal.abort(reason) }, entry), 'aborted', name);
          expect([error.cause, error.transient, error.outcome]).toEqual([reason, false, undefined]);
        }
        expect(await reader.get('k')).toEqual(entry);
        await (await reader.lock('k', { wait: 0 })).release();
      },
    ),

    proof(
      'a signal that is aborted already costs no round trip',
      { hooks: ['roundTrips'] },
      async ({ harness, writing, writer, expect }) => {
        const entry = await writer.put('k', 'x');
        const before = harness.roundTrips?.(writing.driver);
        for (const [name, call] of Object.entries(calls)) {
          await refused(() => call(writer, { signal: AbortSignal.abort() }, entry), 'aborted', name);
        }
        expect(harness.roundTrips?.(writing.driver)).toBe(before);
      },
    ),

    proof('a signal that is never aborted changes nothing', async ({ writer, reader, expect }) => {
      const { signal } = new AbortController();
      const entry = await writer.put('k', 'x', { signal, timeout: 30_000 });
      expect(await reader.get('k', { signal })).toEqual(entry);
      expect((await reader.list('', { signal })).size).toBe(1);
      await writer.atomicDelete('k', entry, { signal });
      await (await writer.lock('k', { signal })).release();
    }),

    proof('aborting once a lock is held does not release it', async ({ writer, reader, expect }) => {
      const controller = new AbortController();
      const lock = await writer.lock('k', { signal: controller.signal });
      controller.abort();
      await refused(() => reader.lock('k', { wait: 0 }), 'conflict', 'the lock of another');
      expect(lock.held).toBe(true);
      await lock.release();
    }),

    proof('a call whose signal is aborted underway settles, as aborted or as done', async ({ writer, reader, expect }) => {
      const entry = await writer.put('k', 'x');
      for (const [name, call] of Object.entries(calls)) {
        if (['lock', 'withLock', 'atomicPut', 'atomicDelete'].includes(name)) continue;
        const controller = new AbortController();
        const done = call(writer, { signal: controller.signal }, entry).catch((error: { code?: string }) => error.code);
        controller.abort();
        const outcome = await done;
        expect(typeof outcome === 'string' ? outcome : 'aborted').toBe('aborted');
      }
      await writer.put('k', 'after');
      expect(await reader.exists('k')).toBe(true);
    }),

    proof('a timeout that is no time is invalid', async ({ writer, reader, expect }) => {
      const entry = await writer.put('k', 'x');
      for (const timeout of [0, -1, Number.NaN, '5s']) {
        for (const [name, call] of Object.entries(calls)) {
          await refused(() => call(writer, { timeout: timeout as never }, entry), 'invalid', `${name} with a timeout of ${timeout}`);
        }
      }
      expect(await reader.get('k')).toEqual(entry);
    }),
  ],
};
