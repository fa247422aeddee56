/** Keeping alive: a key that lives as long as somebody subscribes. */
import { firstValueFrom } from 'rxjs';
import { text } from '../text.js';
import { patient } from './affliction.js';
import { onTwo, proof, type Topic } from './topic.js';
import { quietFor, refused, settles, until } from './waiting.js';

export const keepAlive: Topic = {
  name: 'keep-alive',
  proofs: [
    proof(
      'keepAlive$ writes the key, leased, says so once, and takes it away when unsubscribed',
      async ({ writer, reader, ttl, record, limit, expect }) => {
        const alive = record(writer.keepAlive$('service/1', 'here', { ttl }));
        const entry = await alive.first('the entry');
        expect([entry.key, text(entry), entry.leased]).toEqual(['service/1', 'here', true]);
        expect(await reader.get('service/1')).toEqual(entry);
        const seen = record(reader.watch$('service/1'));
        await seen.next(now => now !== undefined, 'the key');
        expect([alive.values.length, alive.ended]).toEqual([1, false]);
        alive.unsubscribe();
        await seen.next(now => now === undefined, 'the deletion after unsubscribing');
        await until(async () => !(await reader.exists('service/1')), 'the key to be gone', limit);
      },
    ),

    proof(
      'the key lives beyond its ttl while subscribed',
      { ways: onTwo },
      async ({ writer, reader, ttl, capabilities, record, expect }) => {
        const alive = record(writer.keepAlive$('long', 'x', { ttl }));
        const entry = await alive.first('the entry');
        const seen = record(reader.watch$('long'));
        await quietFor(Math.min(ttl * 3, ttl + capabilities.ttlLag + 1000), 'the key must not expire');
        expect(text(await reader.get('long'))).toBe('x');
        expect((await reader.get('long'))?.created).toBe(entry.created);
        expect(seen.values.every(now => text(now) === 'x')).toBe(true);
        expect(alive.ended).toBe(false);
      },
    ),

    proof('a key deleted by hand ends the registration with session-lost', async ({ writer, reader, ttl, record, expect }) => {
      const alive = record(writer.keepAlive$('deleted', 'x', { ttl }));
      await alive.first('the entry');
      await reader.delete('deleted');
      expect((await alive.fails('session-lost', 'the deletion by hand')).transient).toBe(true);
      expect(await reader.exists('deleted')).toBe(false);
    }),

    proof('a key that somebody else wrote ends the registration, and is left alone', async ({ writer, reader, ttl, record, expect }) => {
      const alive = record(writer.keepAlive$('taken', 'x', { ttl }));
      await alive.first('the entry');
      await reader.put('taken', 'theirs');
      await alive.fails('session-lost', 'the write by somebody else');
      expect(text(await reader.get('taken'))).toBe('theirs');
      await quietFor(Math.min(ttl, 500), "the other's key must not expire");
      expect((await reader.get('taken'))?.leased).toBe(false);
    }),

    proof(
      "the last registration wins, and ending the first never deletes the last's key",
      async ({ writer, reader, ttl, record, expect }) => {
        const first = record(writer.keepAlive$('same', 'first', { ttl }));
        await first.first('the first entry');
        const last = record(reader.keepAlive$('same', 'last', { ttl }));
        await last.first('the last entry');
        await first.fails('session-lost', 'the first to be told');
        first.unsubscribe();
        await quietFor(50, 'the key of the last must not go');
        expect(text(await reader.get('same'))).toBe('last');
        expect(last.ended).toBe(false);
        last.unsubscribe();
      },
    ),

    proof('unsubscribing the first while the last is alive leaves the key', async ({ writer, reader, ttl, record, limit, expect }) => {
      const first = record(writer.keepAlive$('swap', 'same', { ttl }));
      await first.first('the first entry');
      const last = record(reader.keepAlive$('swap', 'same', { ttl }));
      first.unsubscribe();
      await last.first('the last entry');
      await quietFor(50, 'the key of the last must not go');
      expect([text(await reader.get('swap')), last.ended]).toEqual(['same', false]);
      last.unsubscribe();
      await until(async () => !(await reader.exists('swap')), 'the key to go with the last', limit);
    }),

    proof('unsubscribing before the entry came leaves no key behind', async ({ writer, reader, ttl, record, limit }) => {
      const brief = record(writer.keepAlive$('brief', 'x', { ttl }));
      brief.unsubscribe();
      await firstValueFrom(writer.watch$('brief'));
      await until(async () => !(await reader.exists('brief')), 'no key to be left', limit);
    }),

    proof('with retryTransient() a key that was lost is registered anew', async ({ writer, reader, ttl, record, limit, expect }) => {
      const alive = record(writer.keepAlive$('anew', 'x', { ttl }).pipe(patient()));
      await alive.first('the entry');
      await reader.delete('anew');
      await alive.first('the entry once more');
      await until(async () => text(await reader.get('anew')) === 'x', 'the key to be back', limit);
      expect(alive.ended).toBe(false);
    }),

    proof('a session that the server ended is session-lost, and the key is gone', { hooks: ['expireSession'] }, async context => {
      const { harness, writing, writer, reader, ttl, record, limit } = context;
      const alive = record(writer.keepAlive$('expired', 'x', { ttl }));
      await alive.first('the entry');
      await harness.expireSession?.(writing.driver);
      await alive.fails('session-lost', 'the expiry');
      await until(async () => !(await reader.exists('expired')), 'the key to be gone', limit);
    }),

    proof('close() takes the key away at once', async ({ connect, reader, ttl, record, limit, expect }) => {
      const { store, whole } = await connect();
      const alive = record(store.keepAlive$('closing', 'x', { ttl }));
      await alive.first('the entry');
      await settles(whole.close(), 'close()', limit);
      await alive.completes('the registration of a closed store');
      expect(await reader.exists('closing')).toBe(false);
    }),

    proof('a ttl that is no time, or over maxTtl, is invalid', async ({ writer, reader, capabilities, expect }) => {
      const wrong = [undefined, Number.NaN, 0, -1, 'keep', ...(Number.isFinite(capabilities.maxTtl) ? [capabilities.maxTtl + 1] : [])];
      for (const ttl of wrong) {
        await refused(() => firstValueFrom(writer.keepAlive$('wrong', 'x', { ttl: ttl as never })), 'invalid', `a ttl of ${ttl}`);
      }
      expect(await reader.exists('wrong')).toBe(false);
    }),
  ],
};
