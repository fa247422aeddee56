/** Updating: read, change, compare-and-set, and again while others come in between. */
import { text } from '../text.js';
import { proof, type Topic } from './topic.js';
import { refused } from './waiting.js';

export const updating: Topic = {
  name: 'updating',
  proofs: [
    proof('update() creates what is absent, changes what is there, and says what it wrote', async ({ writer, reader, expect }) => {
      const created = await writer.update('u', current => (current === undefined ? 'new' : 'wrong'));
      expect(text(created)).toBe('new');
      const changed = await writer.update('u', async current => `${text(current)}er`);
      expect(text(changed)).toBe('newer');
      expect(await reader.get('u')).toEqual(changed);
    }),

    proof('undefined leaves the key as it is', async ({ writer, reader, expect }) => {
      expect(await writer.update('left', () => undefined)).toBeUndefined();
      expect(await reader.exists('left')).toBe(false);
      const entry = await writer.put('left', 'x');
      expect(await writer.update('left', async () => undefined)).toEqual(entry);
      expect(await reader.get('left')).toEqual(entry);
    }),

    proof('equal bytes write nothing', async ({ writer, reader, expect }) => {
      const entry = await writer.put('equal', 'x');
      expect(await writer.update('equal', () => 'x')).toEqual(entry);
      expect(await writer.update('equal', current => current?.value)).toEqual(entry);
      expect(await reader.get('equal')).toEqual(entry);
      await writer.atomicPut('equal', 'y', entry);
    }),

    proof('concurrent increments are exact', async ({ writer, reader, expect }) => {
      const step = (i: number): Promise<unknown> =>
        (i % 2 === 0 ? writer : reader).update('hits', current => String(Number(text(current) ?? '0') + 1), { timeout: 30_000 });
      await Promise.all(Array.from({ length: 24 }, (_, i) => step(i)));
      expect(text(await reader.get('hits'))).toBe('24');
    }),

    proof('the change is asked again with what came in between', async ({ writer, reader, connect, expect }) => {
      const rival = (await connect()).store;
      await writer.put('between', 'a');
      const seen: (string | undefined)[] = [];
      await writer.update('between', async current => {
        seen.push(text(current));
        if (seen.length === 1) await rival.put('between', 'b');
        return `${text(current)}!`;
      });
      expect(seen).toEqual(['a', 'b']);
      expect(text(await reader.get('between'))).toBe('b!');
    }),

    proof('a change that fails fails the update, and nothing is written', async ({ writer, reader, expect }) => {
      const boom = new Error('boom');
      const outcome = await writer
        .update('failing', () => {
          throw boom;
        })
        .catch((error: unknown) => error);
      expect(outcome === boom || (outcome as { cause?: unknown }).cause === boom).toBe(true);
      await refused(() => writer.update('failing', () => 42 as never), 'invalid', 'a change to a number');
      expect(await reader.get('failing')).toBeUndefined();
    }),

    proof('update() takes ttl like put', async ({ writer, reader, capabilities, expect }) => {
      const ttl = Math.min(3_600_000, capabilities.maxTtl);
      expect((await writer.update('leased', () => '1', { ttl }))?.leased).toBe(true);
      expect((await writer.update('leased', () => '2', { ttl: 'keep' }))?.leased).toBe(true);
      expect((await reader.get('leased'))?.leased).toBe(true);
      expect((await writer.update('leased', () => '3'))?.leased).toBe(false);
      await refused(() => writer.update('leased', () => '4', { ttl: -1 }), 'invalid', 'update with a ttl of -1');
    }),
  ],
};
