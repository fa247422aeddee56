/** Watching a key: the current state first, then every state it comes to rest in. */
import { concatMap, config, firstValueFrom, NEVER } from 'rxjs';
import { text } from '../text.js';
import { onTwo, proof, type Topic } from './topic.js';
import { quietFor, until } from './waiting.js';

export const watching: Topic = {
  name: 'watching',
  proofs: [
    proof('watch$ emits the current state first, undefined while absent', async ({ writer, reader, record, expect }) => {
      const absent = record(reader.watch$('w/absent'));
      expect(await absent.first('the absence')).toBeUndefined();
      const entry = await writer.put('w/there', 'x');
      expect(await firstValueFrom(reader.watch$('w/there'))).toEqual(entry);
      expect(absent.ended).toBe(false);
    }),

    proof('creation, change, deletion and creation again are all told', async ({ writer, reader, record, expect }) => {
      const seen = record(reader.watch$('w/life'));
      await seen.next(entry => entry === undefined, 'the absence at first');
      for (const value of ['1', '2', '']) {
        const entry = await writer.put('w/life', value);
        expect(await seen.next(now => text(now) === value, `the value ${value}`)).toEqual(entry);
      }
      await writer.delete('w/life');
      await seen.next(entry => entry === undefined, 'the deletion');
      await writer.put('w/life', 'again');
      await seen.next(entry => text(entry) === 'again', 'the second creation');
      expect(seen.ended).toBe(false);
    }),

    proof('an empty value is an entry, not an absence', async ({ writer, reader, record, expect }) => {
      const seen = record(reader.watch$('w/empty'));
      await seen.next(entry => entry === undefined, 'the absence');
      await writer.put('w/empty', '');
      const entry = await seen.next(now => now !== undefined, 'the empty value');
      expect(entry?.value.length).toBe(0);
    }),

    proof('a watch of a key hears nothing of its siblings, children and parents', async ({ writer, reader, record, expect }) => {
      const seen = record(reader.watch$('n/a'));
      await seen.first('the absence');
      for (const key of ['n', 'n/a/x', 'n/ab', 'n/a-b/x', 'n/a/x/y']) await writer.put(key, key);
      await writer.deleteTree('n/a');
      await writer.put('n/a', 'mine');
      await seen.next(entry => text(entry) === 'mine', 'its own put');
      expect(seen.values.slice(0, -1).every(entry => entry === undefined)).toBe(true);
    }),

    proof(
      'guarantee 1: whoever subscribes during a storm ends in the state the store ends in',
      async ({ writer, reader, record, limit, expect }) => {
        const recordings = [record(reader.watch$('storm/k'))];
        for (let i = 0; i < 300; i++) {
          if (i % 10 === 0) recordings.push(record(reader.watch$('storm/k')));
          await (i % 3 === 2 ? writer.delete('storm/k') : writer.put('storm/k', String(i)));
        }
        const end = await writer.put('storm/k', 'end');
        await until(
          () => recordings.every(({ last }) => last !== undefined && text(last) === 'end'),
          'every subscriber to see the last put',
          limit,
        );
        for (const { last } of recordings) expect(last).toEqual(end);
      },
    ),

    proof(
      'guarantee 1: whoever subscribes during a storm that ends in a deletion sees the deletion',
      async ({ writer, reader, record, limit }) => {
        const recordings = [record(reader.watch$('storm/d'))];
        const puts = Array.from({ length: 100 }, async (_, i) => {
          if (i % 10 === 5) recordings.push(record(reader.watch$('storm/d')));
          await writer.put('storm/d', String(i));
        });
        await Promise.all([...puts, writer.delete('storm/d')]);
        await until(
          () => recordings.every(({ values, last }) => values.length > 0 && last === undefined),
          'every subscriber to see the deletion',
          limit,
        );
      },
    ),

    proof('guarantee 2: the revision never goes back within one subscription', async ({ writer, reader, record, expect }) => {
      const seen = record(reader.watch$('back'));
      for (let i = 0; i < 100; i++) await (i % 7 === 6 ? writer.delete('back') : writer.put('back', String(i)));
      await writer.put('back', 'end');
      await seen.next(entry => text(entry) === 'end', 'the last put');
      const revisions = seen.values.flatMap(entry => (entry === undefined ? [] : [entry.revision]));
      for (let i = 1; i < revisions.length; i++) expect(revisions[i] as bigint).toBeGreaterThanOrEqual(revisions[i - 1] as bigint);
    }),

    proof('guarantee 4: emissions end at once, even when unsubscribed within an emission', async ({ writer, reader, record, expect }) => {
      await writer.put('stop', '0');
      const seen: (string | undefined)[] = [];
      const subscription = reader.watch$('stop').subscribe(entry => {
        seen.push(text(entry));
        if (text(entry) === '1') subscription.unsubscribe();
      });
      const other = record(reader.watch$('stop'));
      await other.first('the current state');
      await until(() => seen.length > 0, 'the current state of the first subscriber');
      await writer.put('stop', '1');
      await other.next(entry => text(entry) === '1', 'the first change');
      await writer.put('stop', '2');
      await other.next(entry => text(entry) === '2', 'the second change');
      await quietFor(20, 'the unsubscribed must hear no more');
      expect(seen).toEqual(['0', '1']);
    }),

    proof('guarantee 4: unsubscribing within the very first emission is heard', async ({ writer, reader, record, expect }) => {
      await writer.put('once', '0');
      expect(text(await firstValueFrom(reader.watch$('once')))).toBe('0');
      const rest = record(reader.watch$('once'));
      await rest.first('the current state');
      expect(text(await firstValueFrom(reader.watch$('once')))).toBe('0');
      await writer.put('once', '1');
      await rest.next(entry => text(entry) === '1', 'a change after others left');
    }),

    proof('a subscriber that throws hurts nobody else', { ways: onTwo }, async ({ writer, reader, record, limit, expect }) => {
      const before = config.onUnhandledError;
      const boom = new Error('boom');
      let [thrown, reported] = [0, 0];
      config.onUnhandledError = error => {
        if (error === boom) reported++;
      };
      try {
        const thrower = reader.watch$('throw').subscribe(() => {
          thrown++;
          throw boom;
        });
        const other = record(reader.watch$('throw'));
        await other.first('the absence');
        await writer.put('throw', '1');
        await other.next(entry => text(entry) === '1', 'the change, beside a subscriber that throws');
        expect(other.ended).toBe(false);
        thrower.unsubscribe();
        await until(() => thrown > 0 && reported === thrown, 'each error to be reported as unhandled', limit);
      } finally {
        config.onUnhandledError = before;
      }
    }),

    proof('a consumer that never gets done holds up neither the others nor its own end', async ({ writer, reader, record, expect }) => {
      const stuck = reader
        .watch$('slow')
        .pipe(concatMap(() => NEVER))
        .subscribe();
      const other = record(reader.watch$('slow'));
      await other.first('the absence');
      for (let i = 0; i < 50; i++) await writer.put('slow', String(i));
      await other.next(entry => text(entry) === '49', 'the last put');
      stuck.unsubscribe();
      expect(stuck.closed).toBe(true);
    }),

    proof('an Observable does nothing until it is subscribed', { hooks: ['roundTrips', 'serverWatches'] }, async context => {
      const { harness, reader, reading, expect } = context;
      await reader.get('cold');
      const trips = harness.roundTrips?.(reading.driver);
      const watches = await harness.serverWatches?.(reading.driver);
      reader.watch$('cold');
      reader.watchTree$('cold');
      reader.keepAlive$('cold', 'x', { ttl: 60_000 });
      reader.lock$('cold');
      reader.elect$('cold', { id: 'me' });
      reader.leader$('cold');
      await quietFor(20, 'nothing must be asked');
      expect(harness.roundTrips?.(reading.driver)).toBe(trips);
      expect(await harness.serverWatches?.(reading.driver)).toBe(watches);
    }),

    proof('guarantee 4: a hundred subscribers that came and went leave no watch behind', { hooks: ['serverWatches'] }, async context => {
      const { harness, writer, reader, reading, limit } = context;
      await writer.put('brief/k', 'x');
      const baseline = (await harness.serverWatches?.(reading.driver)) ?? 0;
      for (let i = 0; i < 50; i++) {
        reader.watch$('brief/k').subscribe().unsubscribe();
        const subscription = reader.watchTree$('brief').subscribe();
        if (i % 2 === 1) await Promise.resolve();
        subscription.unsubscribe();
      }
      await until(async () => (await harness.serverWatches?.(reading.driver)) === baseline, 'every watch to be given back', limit);
    }),

    proof('guarantee 4: whoever takes the current state alone leaves no watch behind', { hooks: ['serverWatches'] }, async context => {
      const { harness, writer, reader, reading, record, limit } = context;
      const baseline = (await harness.serverWatches?.(reading.driver)) ?? 0;
      for (let i = 0; i < 10; i++) {
        await firstValueFrom(reader.watch$('once/k'));
        await firstValueFrom(reader.watchTree$('once'));
      }
      const later = record(reader.watch$('once/later'));
      await later.first('the absence');
      await writer.put('once/later', 'x');
      // Once it is told, the server has been asked for all that it is ever asked for on behalf of those before.
      await later.next(entry => entry !== undefined, 'the put');
      await until(async () => (await harness.serverWatches?.(reading.driver)) === baseline + 1, 'all others to be given back', limit);
    }),

    proof('guarantee 9: many subscribers of a key are one watch, and none once they left', { hooks: ['serverWatches'] }, async context => {
      const { harness, reader, reading, record, limit } = context;
      const baseline = (await harness.serverWatches?.(reading.driver)) ?? 0;
      const recordings = Array.from({ length: 10 }, () => record(reader.watch$('shared/k')));
      for (const recording of recordings) await recording.first('the current state');
      await until(async () => (await harness.serverWatches?.(reading.driver)) === baseline + 1, 'one watch for all of them', limit);
      for (const recording of recordings) recording.unsubscribe();
      await until(
        async () => (await harness.serverWatches?.(reading.driver)) === baseline,
        'guarantee 4: the watch to be given back',
        limit,
      );
    }),
  ],
};
