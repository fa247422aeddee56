/** Closing: everything ends, in time, and nothing lives on. */
import type { Store } from '../interface.js';
import { KvError } from '../errors.js';
import { text } from '../text.js';
import { proof, type Topic } from './topic.js';
import { refused, settles } from './waiting.js';

/** Every `$` of a store. */
const streams: Readonly<
  Record<string, (store: Store) => ReturnType<Store['watch$' | 'watchTree$' | 'leader$' | 'elect$' | 'lock$' | 'keepAlive$']>>
> = {
  watch$: store => store.watch$('k'),
  watchTree$: store => store.watchTree$(''),
  lock$: store => store.lock$('streamed'),
  elect$: store => store.elect$('elected', { id: 'me' }),
  leader$: store => store.leader$('elected'),
  keepAlive$: store => store.keepAlive$('alive', 'x', { ttl: Math.min(60_000, store.capabilities.maxTtl) }),
};

export const close: Topic = {
  name: 'close',
  proofs: [
    proof('guarantee 12: open subscriptions complete, without an error', async ({ connect, record, limit, expect }) => {
      const { store, whole } = await connect();
      const recordings = Object.values(streams).map(stream => record<unknown>(stream(store)));
      const status = record(store.status$);
      for (const recording of recordings) await recording.first('its first value');
      await settles(whole.close(), 'close() with open subscriptions', limit);
      for (const recording of recordings) await recording.completes('a stream of a closed store');
      await status.completes('status$ of a closed store');
      expect(status.last?.state).toBe('closed');
    }),

    proof('afterwards every call rejects with closed, and every stream errors with it', async ({ connect, record, limit, expect }) => {
      const { store, whole } = await connect();
      const entry = await store.put('k', 'x');
      await settles(whole.close(), 'close()', limit);
      const calls: readonly (() => Promise<unknown>)[] = [
        () => store.ready(),
        () => store.get('k'),
        () => store.exists('k'),
        () => store.list(''),
        () => store.children(''),
        () => store.put('k', 'y'),
        () => store.delete('k'),
        () => store.deleteTree(''),
        () => store.atomicPut('k', 'y', entry),
        () => store.atomicDelete('k', entry),
        () => store.update('k', () => 'y'),
        () => store.transaction({ ops: [{ delete: 'k' }] }),
        () => store.lock('k'),
        () => store.withLock('k', async () => undefined),
        () => store.health(),
        () => store.at('deeper').get('k'),
      ];
      for (const [i, call] of calls.entries()) expect((await refused(call, 'closed', `call ${i} of a closed store`)).transient).toBe(false);
      for (const [name, stream] of Object.entries(streams)) {
        // Not its first value: elect$ says that it does not lead before it errors.
        await record<unknown>(stream(store)).fails('closed', `${name} of a closed store`);
      }
    }),

    proof('close() settles, also twice, at once, and on a store that was never used', async ({ connect, limit }) => {
      const used = await connect();
      await used.store.put('k', 'x');
      await settles(Promise.all([used.whole.close(), used.whole.close()]), 'two calls of close()', limit);
      await settles(used.whole.close(), 'a third', limit);
      const unused = await connect();
      await settles(unused.whole.close(), 'close() of a store that was never used', limit);
      const disposed = await connect();
      await settles(Promise.resolve(disposed.whole[Symbol.asyncDispose]()), 'await using of a store', limit);
      await refused(() => disposed.store.get('k'), 'closed', 'a call after it');
    }),

    proof('calls in flight settle: with their result, or closed', async ({ connect, reader, limit, expect }) => {
      const { store, whole } = await connect();
      await store.put('k', 'x');
      const calls = [store.get('k'), store.put('late', 'x'), store.list(''), store.update('k', () => 'y'), store.delete('absent')];
      const outcomes = Promise.allSettled<unknown>(calls);
      await settles(whole.close(), 'close() with calls in flight', limit);
      for (const outcome of await settles(outcomes, 'the calls in flight', limit)) {
        if (outcome.status === 'rejected') expect(KvError.is(outcome.reason) && outcome.reason.code).toBe('closed');
      }
      expect(['x', 'y']).toContain(text(await reader.get('k')));
    }),

    proof('guarantee 12: locks are released, so that others get them at once', async ({ connect, reader, record, limit, expect }) => {
      const { store, whole } = await connect();
      const held = await store.lock('job');
      const streamed = record(store.lock$('streamed'));
      const lock = await streamed.first('the lock of the stream');
      const waiting = record(reader.lock$('job'));
      await settles(whole.close(), 'close() with held locks', limit);
      expect([held.held, held.signal.aborted, lock.held, lock.signal.aborted]).toEqual([false, true, false, true]);
      await waiting.next(next => next.held, 'the waiter to get the lock');
      await (await reader.lock('streamed', { wait: 0 })).release();
      await held.release();
    }),

    proof('the signal of a lock is aborted before its stream completes', async ({ connect, limit, expect }) => {
      const { store, whole } = await connect();
      const order: string[] = [];
      const held = new Promise<void>((resolve, reject) => {
        store.lock$('k').subscribe({
          next: lock => {
            lock.signal.addEventListener('abort', () => order.push('signal'));
            resolve();
          },
          error: reject,
          complete: () => order.push('complete'),
        });
      });
      await held;
      await settles(whole.close(), 'close()', limit);
      expect(order).toEqual(['signal', 'complete']);
    }),

    proof('who waits for a lock in a promise is told closed', async ({ connect, writer, limit }) => {
      const holder = await writer.lock('job');
      const { store, whole } = await connect();
      await store.get('warm');
      const waiting = [
        refused(() => store.lock('job'), 'closed', 'lock() of a closed store'),
        refused(() => store.withLock('job', async () => undefined), 'closed', 'withLock() of a closed store'),
      ];
      await settles(whole.close(), 'close() with waiting locks', limit);
      await settles(Promise.all(waiting), 'the waiting locks', limit);
      await holder.release();
      await (await writer.lock('job', { wait: 0 })).release();
    }),

    proof('what was written stays; a ttl goes on where the server keeps it', async ({ connect, reader, capabilities, limit, expect }) => {
      const { store, whole } = await connect();
      await store.put('stays', 'x');
      await store.put('leased', 'x', { ttl: Math.min(3_600_000, capabilities.maxTtl) });
      await settles(whole.close(), 'close()', limit);
      expect(text(await reader.get('stays'))).toBe('x');
      if (capabilities.ttlBoundTo === 'server') expect(text(await reader.get('leased'))).toBe('x');
    }),

    proof('closing a view closes nothing', async ({ writer, reader, record, expect }) => {
      const view = writer.at('view');
      const seen = record(writer.watch$('k'));
      const inside = record(view.watch$('k'));
      await seen.first('the absence');
      await view.close();
      await writer.put('k', 'x');
      await seen.next(entry => entry !== undefined, 'the put after the view was closed');
      await view.put('k', 'y');
      await inside.next(entry => entry !== undefined, "the view's own watch");
      expect(text(await reader.get('view/k'))).toBe('y');
    }),
  ],
};
