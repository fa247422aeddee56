/** Feeds: what a driver says of a range. Proven on the driver, with no store over it. */
import { pairsOf, stateOf } from './contents.js';
import { addsUp, bytes, commit, folded, lastRevision, query, write } from './plain-driver.js';
import { type Capability, consistentTransactions, onTwo, proof, type Topic } from './topic.js';
import { quietFor, until } from './waiting.js';

const needs = { ways: onTwo };

const resuming: Capability = { absent: 'resumes is false', present: ({ resumes }) => resumes };

export const feeds: Topic = {
  name: 'feeds',
  proofs: [
    proof('a feed says the complete state first, as a reset', needs, async ({ bare, record, limit, expect }) => {
      const driver = await bare();
      const empty = record(driver.feed$({ prefix: 'none/' }));
      await write(driver, 'f/a', '1');
      await write(driver, 'f/b/c', '2');
      await write(driver, 'fa', '3');
      const feed = record(driver.feed$({ prefix: 'f/' }));
      const first = await feed.next(({ type }) => type !== 'mark', 'the first news');
      expect(first.type).toBe('reset');
      expect(first.type === 'reset' && pairsOf(first.entries)).toEqual({ 'f/a': '1', 'f/b/c': '2' });
      await addsUp(empty, {}, limit);
      expect((await empty.next(({ type }) => type !== 'mark', 'the empty reset')).type).toBe('reset');
    }),

    proof('resets and patches add up to what list() gives, in order of revision', needs, async ({ bare, record, limit, expect }) => {
      const [driver, other] = [await bare(), await bare()];
      const feed = record(driver.feed$({ prefix: 's/' }));
      for (let i = 0; i < 200; i++) {
        await (i % 3 === 2 ? commit(other, { delete: `s/${i % 5}` }) : write(other, `s/${i % 10}`, String(i)));
        if (i === 50) await commit(other, { deletePrefix: 's/' });
      }
      const listing = await driver.list({ prefix: 's/' }, query);
      await addsUp(feed, pairsOf(listing.entries), limit);
      const revisions = feed.values.flatMap(({ revision }) => (revision === undefined ? [] : [revision]));
      for (let i = 1; i < revisions.length; i++) expect(revisions[i] as bigint).toBeGreaterThanOrEqual(revisions[i - 1] as bigint);
      expect(feed.ended).toBe(false);
    }),

    proof('a feed of one key says that key alone', needs, async ({ bare, record, limit, expect }) => {
      const driver = await bare();
      for (const key of ['k', 'k/x', 'kx']) await write(driver, key, '1');
      const feed = record(driver.feed$({ key: 'k' }));
      await addsUp(feed, { k: '1' }, limit);
      for (const key of ['k/x', 'kx', 'k/y']) await write(driver, key, '2');
      await write(driver, 'k', '3');
      await addsUp(feed, { k: '3' }, limit);
      await commit(driver, { delete: 'k' });
      await addsUp(feed, {}, limit);
      expect(feed.ended).toBe(false);
    }),

    proof(
      'what one commit wrote is one message',
      { ...needs, capable: consistentTransactions },
      async ({ bare, record, limit, expect }) => {
        const [driver, other] = [await bare(), await bare()];
        const feed = record(driver.feed$({ prefix: 'w/' }));
        await addsUp(feed, {}, limit);
        for (let i = 0; i < 20; i++) {
          await commit(other, ...['a', 'b', 'c'].map(name => ({ put: `w/${name}`, value: bytes(String(i)) })));
        }
        await addsUp(feed, { 'w/a': '19', 'w/b': '19', 'w/c': '19' }, limit);
        for (let i = 1; i <= feed.values.length; i++) {
          expect(new Set(folded(feed.values.slice(0, i)).values()).size).toBeLessThanOrEqual(1);
        }
      },
    ),

    proof(
      'a feed resumes after the revision it said last, without a reset',
      { ...needs, capable: resuming },
      async ({ bare, record, limit, expect }) => {
        const driver = await bare();
        await write(driver, 'r/a', '1');
        const before = record(driver.feed$({ prefix: 'r/' }));
        await addsUp(before, { 'r/a': '1' }, limit);
        before.unsubscribe();
        const idle = record(driver.feed$({ prefix: 'r/' }, lastRevision(before)));
        expect((await idle.first('a word at once')).type).toBe('mark');
        idle.unsubscribe();
        await write(driver, 'r/b', '2');
        await commit(driver, { delete: 'r/a' });
        const after = record(driver.feed$({ prefix: 'r/' }, lastRevision(before)));
        await until(
          () => stateOf(folded([...before.values, ...after.values])) === stateOf(new Map([['r/b', '2']])),
          'what was missed',
          limit,
        );
        expect(after.values.some(({ type }) => type === 'reset')).toBe(false);
      },
    ),

    proof('a feed whose since lies ahead, as after a loss of data, says the state anew', needs, async ({ bare, record, limit }) => {
      const driver = await bare();
      await write(driver, 'ahead/a', '1');
      const { revision } = await driver.list({ prefix: 'ahead/' }, query);
      await addsUp(record(driver.feed$({ prefix: 'ahead/' }, revision + 1_000_000n)), { 'ahead/a': '1' }, limit);
    }),

    proof('a feed whose since was compacted away says the state anew', { ...needs, hooks: ['compact'] }, async context => {
      const { harness, bare, record, limit } = context;
      const driver = await bare();
      for (const key of ['old/a', 'old/b']) await write(driver, key, '1');
      const before = record(driver.feed$({ prefix: 'old/' }));
      await addsUp(before, { 'old/a': '1', 'old/b': '1' }, limit);
      before.unsubscribe();
      await commit(driver, { delete: 'old/a' });
      await write(driver, 'old/b', '2');
      await harness.compact?.();
      await addsUp(record(driver.feed$({ prefix: 'old/' }, lastRevision(before))), { 'old/b': '2' }, limit);
    }),

    proof(
      'a feed, list and deletePrefix outside ~rxkv/ leave it out, those inside see it',
      needs,
      async ({ bare, record, limit, expect }) => {
        const driver = await bare();
        const outside = record(driver.feed$({ prefix: '' }));
        const inside = record(driver.feed$({ prefix: '~rxkv/test/' }));
        await write(driver, '~rxkv/test/x', 'ours');
        await write(driver, 'k', 'theirs');
        await addsUp(outside, { k: 'theirs' }, limit);
        await addsUp(inside, { '~rxkv/test/x': 'ours' }, limit);
        expect(pairsOf((await driver.list({ prefix: '' }, query)).entries)).toEqual({ k: 'theirs' });
        expect(pairsOf((await driver.list({ prefix: '~rxkv/test/' }, query)).entries)).toEqual({ '~rxkv/test/x': 'ours' });
        const listing = await driver.list({ prefix: '', depth: 1 }, query);
        expect(listing.directories ?? []).toEqual([]);
        await commit(driver, { deletePrefix: '' });
        await addsUp(outside, {}, limit);
        expect((await driver.list({ key: '~rxkv/test/x' }, query)).entries.length).toBe(1);
        await commit(driver, { delete: '~rxkv/test/x' });
        await addsUp(inside, {}, limit);
      },
    ),

    proof('after unsubscribing a feed says nothing more', needs, async ({ bare, record, limit, expect }) => {
      const driver = await bare();
      const gone = record(driver.feed$({ prefix: 'u/' }));
      const stays = record(driver.feed$({ prefix: 'u/' }));
      await addsUp(gone, {}, limit);
      gone.unsubscribe();
      const before = gone.values.length;
      await write(driver, 'u/a', '1');
      await addsUp(stays, { 'u/a': '1' }, limit);
      await quietFor(20, 'the unsubscribed must hear no more');
      expect(gone.values.length).toBe(before);
    }),

    proof(
      'an idle feed says mark well within silence',
      { ...needs, faulty: true, networked: true },
      async ({ bare, record, silence, limit, expect }) => {
        const driver = await bare();
        const feed = record(driver.feed$({ prefix: 'idle/' }));
        await addsUp(feed, {}, limit);
        for (let i = 0; i < 2; i++) {
          const said = feed.values.length;
          await until(() => feed.values.length > said, 'a mark', silence);
        }
        expect(feed.ended).toBe(false);
      },
    ),
  ],
};
