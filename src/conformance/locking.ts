/** Locking: one holder at a time, for as long as it wants, under a name that is a lock's alone. */
import { firstValueFrom } from 'rxjs';
import { keysOf } from './contents.js';
import { onTwo, proof, type Topic } from './topic.js';
import { quietFor, refused } from './waiting.js';

export const locking: Topic = {
  name: 'locking',
  proofs: [
    proof('lock$ emits once when the lock is ours, then is silent', async ({ writer, record, expect }) => {
      const held = record(writer.lock$('once'));
      const lock = await held.first('the lock');
      expect(lock.key).toBe('once');
      expect(typeof lock.fence).toBe('bigint');
      expect(lock.held).toBe(true);
      expect(lock.signal.aborted).toBe(false);
      await quietFor(50, 'nothing more must be said while it is held');
      expect([held.values.length, held.ended]).toEqual([1, false]);
    }),

    proof('release lets others in at once, and again is harmless', async ({ writer, reader, expect }) => {
      const lock = await writer.lock('release');
      await lock.release();
      await lock.release();
      expect([lock.held, lock.signal.aborted]).toEqual([false, true]);
      const next = await reader.lock('release', { wait: 0 });
      await lock.release();
      expect(next.held).toBe(true);
      await next.release();
    }),

    proof('await using releases', async ({ writer, reader, expect }) => {
      const lock = await writer.lock('using');
      await lock[Symbol.asyncDispose]();
      expect(lock.held).toBe(false);
      await (await reader.lock('using', { wait: 0 })).release();
    }),

    proof('unsubscribing lock$ releases it', async ({ writer, reader, record, expect }) => {
      const held = record(writer.lock$('unsubscribe'));
      const lock = await held.first('the lock');
      held.unsubscribe();
      expect([lock.held, lock.signal.aborted]).toEqual([false, true]);
      await (await reader.lock('unsubscribe')).release();
    }),

    proof('firstValueFrom(lock$) acquires and at once releases, as is written', async ({ writer, reader, expect }) => {
      const lock = await firstValueFrom(writer.lock$('first'));
      expect(lock.held).toBe(false);
      await (await reader.lock('first')).release();
    }),

    proof('locks are not re-entrant: a second one of the same store waits', async ({ writer, record, expect }) => {
      const first = await writer.lock('twice');
      await refused(() => writer.lock('twice', { wait: 0 }), 'conflict', 'a second lock of the same store');
      const second = record(writer.lock$('twice'));
      await quietFor(30, 'the second must not get the lock');
      expect(second.values.length).toBe(0);
      await first.release();
      await second.next(lock => lock.held, 'the second to get the lock');
    }),

    proof('a lock and keys of the same name have nothing to do with each other', async ({ writer, reader, expect }) => {
      await writer.put('a/b', 'x');
      const inner = await writer.lock('a/b');
      const lock = await reader.lock('a', { wait: 0 });
      await writer.put('a', 'y');
      expect(keysOf(await reader.list('a'))).toEqual(['a/b']);
      expect(keysOf(await reader.list(''))).toEqual(['a', 'a/b']);
      await writer.delete('a');
      await writer.deleteTree('');
      expect([lock.held, inner.held]).toEqual([true, true]);
      await refused(() => writer.lock('a', { wait: 0 }), 'conflict', 'the lock after its keys were deleted');
      await inner.release();
      await lock.release();
    }),

    proof('names that look alike are different locks', async ({ writer, expect }) => {
      const names = [
        'x',
        'x/y',
        'x%2Fy',
        'x%252Fy',
        'X',
        'x%',
        'x ',
        'x:y',
        'x*',
        'x[y]',
        '😀',
        'é',
        'e\u0301',
        'y'.repeat(600),
        `${'y'.repeat(600)}z`,
        '/'.padStart(300, 'd/').slice(0, -1),
      ];
      const locks = await Promise.all(names.map(async name => writer.lock(name, { wait: 0 })));
      expect(locks.map(lock => lock.held)).toEqual(names.map(() => true));
      await refused(() => writer.lock('y'.repeat(600), { wait: 0 }), 'conflict', 'the long name again');
      await Promise.all(locks.map(async lock => lock.release()));
    }),

    proof("a view's lock k is the store's lock x/k", async ({ writer, reader, expect }) => {
      const lock = await writer.at('x').lock('k');
      expect(lock.key).toBe('k');
      await refused(() => reader.lock('x/k', { wait: 0 }), 'conflict', 'the same lock by its whole name');
      await lock.release();
      await (await reader.lock('x/k', { wait: 0 })).release();
    }),

    proof('a lock can be taken and released a hundred times, its fences growing', { ways: onTwo }, async ({ writer, reader, expect }) => {
      let last = -1n;
      for (let i = 0; i < 100; i++) {
        const lock = await (i % 2 === 0 ? writer : reader).lock('again');
        expect(lock.fence).toBeGreaterThan(last);
        last = lock.fence;
        await lock.release();
      }
    }),

    proof('a held lock outlives its ttl', { ways: onTwo }, async ({ writer, reader, ttl, capabilities, expect }) => {
      const lock = await writer.lock('renewed', { ttl });
      await refused(
        () => reader.lock('renewed', { wait: Math.min(ttl * 2 + capabilities.minTtl, 30_000) }),
        'conflict',
        'a wait of twice the ttl',
      );
      expect(lock.held).toBe(true);
      await lock.release();
    }),

    proof('withLock works while it holds, and passes the result or the error', async ({ writer, reader, expect }) => {
      const result = await writer.withLock('work', async lock => {
        await refused(() => reader.lock('work', { wait: 0 }), 'conflict', 'the lock while work goes on');
        return lock.held ? 'done' : 'lost';
      });
      expect(result).toBe('done');
      const boom = new Error('boom');
      const failing = writer.withLock('work', async () => {
        throw boom;
      });
      expect(await failing.catch((error: unknown) => error)).toBe(boom);
      await (await reader.lock('work', { wait: 0 })).release();
    }),

    proof('a ttl or wait that is no time is invalid', async ({ writer, capabilities }) => {
      const wrong = [Number.NaN, 0, -1, '5s', ...(Number.isFinite(capabilities.maxTtl) ? [capabilities.maxTtl + 1] : [])];
      for (const ttl of wrong) await refused(() => writer.lock('wrong', { ttl: ttl as never }), 'invalid', `a lock with a ttl of ${ttl}`);
      for (const wait of [Number.NaN, -1, 'long']) {
        await refused(() => writer.lock('wrong', { wait: wait as never }), 'invalid', `a lock with a wait of ${wait}`);
      }
      await (await writer.lock('wrong', { wait: 0 })).release();
    }),
  ],
};
