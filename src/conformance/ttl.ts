/** TTL: a key that vanishes by itself, never early, never not at all. */
import type { Driver } from '../driver.js';
import type { Store, WriteOptions } from '../interface.js';
import { diff } from '../operators/diff.js';
import { text } from '../text.js';
import type { Context } from './context.js';
import { onTwo, proof, type Topic } from './topic.js';
import { quietFor, refused, until } from './waiting.js';

/** ms by which two clocks may disagree about a moment. */
const grain = 5;

/** Every way of writing a key with a ttl. */
const writes: Readonly<Record<string, (store: Store, key: string, options: WriteOptions) => Promise<unknown>>> = {
  put: (store, key, options) => store.put(key, 'x', options),
  'put over a permanent key': async (store, key, options) => {
    await store.put(key, 'permanent');
    return store.put(key, 'x', options);
  },
  'atomicPut that creates': (store, key, options) => store.atomicPut(key, 'x', undefined, options),
  'atomicPut that replaces': async (store, key, options) => store.atomicPut(key, 'x', await store.put(key, 'permanent'), options),
  update: (store, key, options) => store.update(key, () => 'x', options),
  transaction: (store, key, { ttl }) => store.transaction({ ops: [{ put: key, value: 'x', ...(ttl === undefined ? {} : { ttl }) }] }),
};

async function vanishes({ reader, capabilities, limit }: Context, key: string, ttl: number): Promise<void> {
  await until(async () => !(await reader.exists(key)), `${key} to vanish`, ttl + capabilities.ttlLag + limit);
}

/** A ttl that is over long after the test. */
function longTtl({ capabilities }: Pick<Driver, 'capabilities'>): number {
  return Math.min(3_600_000, capabilities.maxTtl);
}

export const ttl: Topic = {
  name: 'ttl',
  proofs: [
    proof('guarantee 8: a key with a ttl is leased, never vanishes early, and vanishes within ttlLag', async context => {
      const { writer, reader, expect } = context;
      const asked = performance.now();
      const entry = await writer.put('brief', 'x', { ttl: context.ttl });
      expect(entry.leased).toBe(true);
      expect((await reader.get('brief'))?.leased).toBe(true);
      await vanishes(context, 'brief', context.ttl);
      expect(performance.now() - asked).toBeGreaterThanOrEqual(context.ttl - grain);
      expect(await reader.get('brief')).toBeUndefined();
      expect((await reader.list('')).size).toBe(0);
    }),

    proof('guarantee 8: every way of writing takes a ttl, and none leaves a permanent key', { ways: onTwo }, async context => {
      const { writer, reader, expect } = context;
      for (const [i, [way, write]] of Object.entries(writes).entries()) {
        await write(writer, `each/${i}`, { ttl: context.ttl });
        if ((await reader.get(`each/${i}`))?.leased === false) throw new Error(`${way} left a permanent key`);
      }
      for (const i of Object.keys(writes).keys()) await vanishes(context, `each/${i}`, context.ttl);
      expect((await reader.list('each')).size).toBe(0);
    }),

    proof('guarantee 8: an expiry is a deleted event, to watchers of the key and of its directory', { ways: onTwo }, async context => {
      const { writer, reader, record, capabilities, expect } = context;
      await writer.put('exp/stays', 'x');
      await writer.put('exp/goes', 'x', { ttl: context.ttl });
      const key = record(reader.watch$('exp/goes'));
      const events = record(reader.watchTree$('exp').pipe(diff()));
      await key.next(entry => entry !== undefined, 'the key');
      await events.next(change => change.key === 'exp/stays', 'the initial events');
      await until(() => key.last === undefined, 'the expiry to be told', context.ttl + capabilities.ttlLag + context.limit);
      const deleted = await events.next(change => change.type === 'deleted', 'the deleted event');
      expect([deleted.key, text(deleted.previous)]).toEqual(['exp/goes', 'x']);
      expect(events.values.length).toBe(3);
    }),

    proof('a put without ttl makes a key permanent, "keep" leaves what it had, a new ttl counts anew', { ways: onTwo }, async context => {
      const { writer, reader, expect } = context;
      const long = longTtl(context);
      await writer.put('p/permanent', '1', { ttl: context.ttl });
      expect((await writer.put('p/permanent', '2')).leased).toBe(false);
      await writer.put('p/cas', '1', { ttl: context.ttl });
      expect((await writer.atomicPut('p/cas', '2', await reader.get('p/cas'))).leased).toBe(false);
      await writer.put('p/longer', '1', { ttl: context.ttl });
      expect((await writer.put('p/longer', '2', { ttl: long })).leased).toBe(true);
      await writer.put('p/kept', '1', { ttl: context.ttl });
      expect((await writer.put('p/kept', '2', { ttl: 'keep' })).leased).toBe(true);
      await writer.put('p/keptLong', '1', { ttl: long });
      expect((await writer.put('p/keptLong', '2', { ttl: 'keep' })).leased).toBe(true);
      await vanishes(context, 'p/kept', context.ttl);
      // All were written before p/kept expired; give their old ttls the same lag before they are called survivors.
      await quietFor(Math.min(context.ttl, 500), 'the others must not expire');
      for (const key of ['p/permanent', 'p/cas', 'p/longer', 'p/keptLong']) expect(text(await reader.get(key))).toBe('2');
      expect((await reader.get('p/permanent'))?.leased).toBe(false);
    }),

    proof('"keep" of a permanent key, or of none, is permanent', async ({ writer, reader, expect }) => {
      expect((await writer.put('k/none', '1', { ttl: 'keep' })).leased).toBe(false);
      await writer.put('k/permanent', '1');
      expect((await writer.put('k/permanent', '2', { ttl: 'keep' })).leased).toBe(false);
      expect((await reader.get('k/permanent'))?.leased).toBe(false);
    }),

    proof('a ttl of a key does not outlive the key', { ways: onTwo }, async context => {
      const { writer, reader, expect } = context;
      await writer.put('o/again', '1', { ttl: context.ttl });
      await writer.put('o/measure', '1', { ttl: context.ttl });
      await writer.delete('o/again');
      expect((await writer.put('o/again', '2')).leased).toBe(false);
      await vanishes(context, 'o/measure', context.ttl);
      await quietFor(Math.min(context.ttl, 500), 'the second key must not expire with the ttl of the first');
      expect(text(await reader.get('o/again'))).toBe('2');
    }),

    proof('a ttl under minTtl is rounded up', { ways: onTwo }, async context => {
      const { writer, capabilities, expect } = context;
      const asked = performance.now();
      const entry = await writer.put('tiny', 'x', { ttl: Math.min(1, capabilities.minTtl) });
      expect(entry.leased).toBe(true);
      await vanishes(context, 'tiny', capabilities.minTtl);
      expect(performance.now() - asked).toBeGreaterThanOrEqual(capabilities.minTtl - grain);
    }),

    proof('guarantee 8: a ttl that is no time, or over maxTtl, is invalid before any write', async context => {
      const { writer, reader, capabilities, expect } = context;
      const wrong = [Number.NaN, 0, -1, '5s', null, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
      if (Number.isFinite(capabilities.maxTtl)) wrong.push(capabilities.maxTtl + 1);
      for (const ttlOf of wrong) {
        for (const [way, write] of Object.entries(writes)) {
          if (way.includes('permanent') || way.includes('replaces')) continue;
          await refused(() => write(writer, 'wrong', { ttl: ttlOf as never }), 'invalid', `${way} with a ttl of ${String(ttlOf)}`);
        }
      }
      expect(await reader.get('wrong')).toBeUndefined();
      await writer.put('longest', 'x', { ttl: longTtl(context) });
      expect((await reader.get('longest'))?.leased).toBe(true);
    }),

    proof(
      'a put with a ttl is one write: watchers never see an empty value before it',
      async ({ writer, reader, record, capabilities, expect }) => {
        const long = Math.min(3_600_000, capabilities.maxTtl);
        const seen = record(reader.watch$('whole'));
        await seen.first('the absence');
        await writer.put('whole', 'leased', { ttl: long });
        await seen.next(entry => text(entry) === 'leased', 'the put with a ttl');
        await writer.put('whole', 'again', { ttl: long });
        await seen.next(entry => text(entry) === 'again', 'the second put with a ttl');
        await writer.put('whole', 'permanent');
        await seen.next(entry => text(entry) === 'permanent', 'the put without one');
        const values = seen.values.map(entry => text(entry) ?? 'absent');
        expect([...new Set(values)]).toEqual(['absent', 'leased', 'again', 'permanent']);
      },
    ),

    proof('a failed atomicPut with a ttl leaves the key as it was', async context => {
      const { writer, reader, expect } = context;
      const kept = await writer.put('cas', 'permanent');
      await refused(() => writer.atomicPut('cas', 'x', undefined, { ttl: longTtl(context) }), 'conflict', 'a creation of what is there');
      expect(await reader.get('cas')).toEqual(kept);
    }),
  ],
};
