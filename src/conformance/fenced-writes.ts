/** Fenced writes: accepted while the lock is held, refused once it is gone. */
import { catchError, filter, NEVER, type Observable, throwError } from 'rxjs';
import type { Driver } from '../driver.js';
import type { Entry } from '../entry.js';
import type { Lock, Store } from '../interface.js';
import { text } from '../text.js';
import { pairsOf } from './contents.js';
import { evict } from './plain-driver.js';
import { type Needs, proof, severalKeys, type Topic } from './topic.js';
import { refused, until } from './waiting.js';

interface Keys {
  readonly entry: Entry;
}

/** Every write that takes a lock. `entry` is of the key `kept`. */
const writes: Readonly<Record<string, (store: Store, lock: Lock, keys: Keys) => Promise<unknown>>> = {
  put: (store, lock) => store.put('put', 'x', { lock }),
  atomicPut: (store, lock) => store.atomicPut('created', 'x', undefined, { lock }),
  update: (store, lock) => store.update('updated', () => 'x', { lock }),
  transaction: (store, lock) => store.transaction({ checks: [{ lock }], ops: [{ put: 'transacted', value: 'x' }] }),
  delete: (store, lock) => store.delete('deleted', { lock }),
  deleteTree: (store, lock) => store.deleteTree('tree', { lock }),
  atomicDelete: (store, lock, { entry }) => store.atomicDelete('kept', entry, { lock }),
};

async function seeded(store: Store): Promise<Keys> {
  await store.put('deleted', 'x');
  await store.put('tree/a', 'x');
  return { entry: await store.put('kept', 'x') };
}

/** Lets the driver tell its store nothing more while deaf: what a pause or a slow link does, for as long as we like. */
function deafen(driver: Driver, hearing: { readonly deaf: boolean }): void {
  const muffled = <T>(source$: Observable<T>): Observable<T> =>
    source$.pipe(
      filter(() => !hearing.deaf),
      catchError((error: unknown) => (hearing.deaf ? NEVER : throwError(() => error))),
    );
  const [feed$, session$, acquire$] = [driver.feed$.bind(driver), driver.session$.bind(driver), driver.acquire$?.bind(driver)];
  driver.feed$ = (...range) => muffled(feed$(...range));
  driver.session$ = ttl => muffled(session$(ttl));
  if (acquire$ !== undefined) driver.acquire$ = (...asked) => muffled(acquire$(...asked));
}

const needs: Needs = { capable: severalKeys };

export const fencedWrites: Topic = {
  name: 'fenced-writes',
  proofs: [
    proof('every write is accepted while its lock is held', needs, async ({ writer, reader, expect }) => {
      const keys = await seeded(writer);
      const lock = await writer.lock('fence');
      for (const write of Object.values(writes)) await write(writer, lock, keys);
      expect(pairsOf(await reader.list(''))).toEqual({ created: 'x', put: 'x', transacted: 'x', updated: 'x' });
      expect(lock.held).toBe(true);
      await lock.release();
    }),

    proof(
      'guarantee 5: every write is a conflict once its lock is released, and writes nothing',
      needs,
      async ({ writer, reader, expect }) => {
        const keys = await seeded(writer);
        const before = pairsOf(await reader.list(''));
        const lock = await writer.lock('fence');
        await lock.release();
        for (const [name, write] of Object.entries(writes)) {
          await refused(() => write(writer, lock, keys), 'conflict', `${name} with a released lock`);
        }
        expect(pairsOf(await reader.list(''))).toEqual(before);
      },
    ),

    proof('a released lock fences nothing, even while the same name is locked again', needs, async ({ writer, reader, expect }) => {
      const old = await writer.lock('fence');
      await old.release();
      const now = await writer.lock('fence');
      await refused(() => writer.put('k', 'old', { lock: old }), 'conflict', 'a put with the lock of before');
      await writer.put('k', 'new', { lock: now });
      expect(text(await reader.get('k'))).toBe('new');
      await now.release();
    }),

    proof(
      'guarantee 5: every write is a conflict once the server gave the lock up',
      { ...needs, hooks: ['expireSession'] },
      async context => {
        const { harness, writing, writer, reader, limit, expect } = context;
        const keys = await seeded(writer);
        const before = pairsOf(await reader.list(''));
        const lock = await writer.lock('fence');
        await harness.expireSession?.(writing.driver);
        for (const [name, write] of Object.entries(writes)) {
          await refused(() => write(writer, lock, keys), 'conflict', `${name} with a lost lock`);
        }
        expect(pairsOf(await reader.list(''))).toEqual(before);
        await until(() => !lock.held && lock.signal.aborted, 'the holder to be told', limit);
      },
    ),

    proof('guarantee 5: a holder that nobody has told is refused by the server', needs, async context => {
      const { harness, base, bare, connect, reader, expect } = context;
      const hearing = { deaf: false };
      const { store } = await connect(driver => deafen(driver, hearing));
      const keys = await seeded(store);
      const lock = await store.lock('fence', { ttl: Math.min(60_000, store.capabilities.maxTtl) });
      const before = pairsOf(await reader.list(''));
      hearing.deaf = true;
      await evict(harness, await bare(), `${base}fence`);
      expect(lock.held).toBe(true);
      for (const [name, write] of Object.entries(writes)) {
        await refused(() => write(store, lock, keys), 'conflict', `${name} with a lock lost unheard`);
      }
      expect(pairsOf(await reader.list(''))).toEqual(before);
    }),

    proof('a failed compare is a conflict though the lock is held', needs, async ({ writer, reader, expect }) => {
      const old = await writer.put('k', '1');
      await writer.put('k', '2');
      const lock = await writer.lock('fence');
      await refused(() => writer.atomicPut('k', '3', old, { lock }), 'conflict', 'a stale entry');
      await refused(() => writer.atomicDelete('k', old, { lock }), 'conflict', 'a stale entry');
      expect(text(await reader.get('k'))).toBe('2');
      await lock.release();
    }),

    proof("a view's lock fences its store's writes, and the store's the view's", needs, async ({ writer, reader, expect }) => {
      const view = writer.at('x');
      const viewed = await view.lock('k');
      await writer.put('a', '1', { lock: viewed });
      const whole = await writer.lock('k');
      await view.put('b', '2', { lock: whole });
      expect(pairsOf(await reader.list(''))).toEqual({ a: '1', 'x/b': '2' });
      await viewed.release();
      await refused(() => writer.put('a', '3', { lock: viewed }), 'conflict', "a put with the view's lock once released");
      await whole.release();
    }),

    proof('a lock of another store, or none of ours, is invalid', async ({ writer, connect, reader, expect }) => {
      const lock = await (await connect()).store.lock('fence');
      const forged: Lock = { key: 'fence', fence: lock.fence, held: true, signal: new AbortController().signal };
      for (const wrong of [lock, forged, {} as Lock, 'fence' as never, null as never]) {
        await refused(() => writer.put('k', 'x', { lock: wrong }), 'invalid', 'a put with a lock that is not ours');
        await refused(() => writer.transaction({ checks: [{ lock: wrong }], ops: [{ put: 'k', value: 'x' }] }), 'invalid', 'a check of it');
      }
      expect(await reader.exists('k')).toBe(false);
      await lock.release();
    }),

    proof('a lock emitted by lock$ and by elect$ fences too', needs, async ({ writer, reader, record, expect }) => {
      const held = record(writer.lock$('stream'));
      const lock = await held.first('the lock');
      await writer.put('a', '1', { lock });
      held.unsubscribe();
      await refused(() => writer.put('a', '2', { lock }), 'conflict', 'a put after unsubscribing');
      const elected = record(writer.elect$('office', { id: 'me' }));
      const leadership = await elected.next(({ leading }) => leading, 'leadership');
      if (leadership.leading) await writer.put('b', '1', { lock: leadership.lock });
      expect(pairsOf(await reader.list(''))).toEqual({ a: '1', b: '1' });
    }),
  ],
};
