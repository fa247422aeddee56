/** A driver's calls: how it lists and commits. Proven on the driver, with no store over it. */
import { text } from '../text.js';
import { pairsOf } from './contents.js';
import { addsUp, bytes, call, commit, query, write } from './plain-driver.js';
import { onTwo, proof, severalKeys, type Topic, wholeRanges } from './topic.js';

const needs = { ways: onTwo };

export const driverCalls: Topic = {
  name: 'driver calls',
  proofs: [
    proof('list gives a key, a prefix, a depth with its directories', needs, async ({ bare, expect }) => {
      const driver = await bare();
      for (const key of ['l', 'l/a', 'l/a/b', 'l/c/d/e', 'lx']) await write(driver, key, key);
      expect(pairsOf((await driver.list({ key: 'l' }, query)).entries)).toEqual({ l: 'l' });
      expect((await driver.list({ key: 'none' }, query)).entries).toEqual([]);
      const whole = await driver.list({ prefix: 'l/' }, query);
      expect(pairsOf(whole.entries)).toEqual({ 'l/a': 'l/a', 'l/a/b': 'l/a/b', 'l/c/d/e': 'l/c/d/e' });
      const level = await driver.list({ prefix: 'l/', depth: 1 }, query);
      expect(Object.keys(pairsOf(level.entries))).toEqual(['l/a']);
      expect([...(level.directories ?? [])].map(name => name.replace(/\/$/, '')).sort()).toEqual(['l/a', 'l/c']);
      const names = await driver.list({ prefix: 'l/', values: false }, query);
      expect(names.entries.map(({ key }) => key).sort()).toEqual(['l/a', 'l/a/b', 'l/c/d/e']);
      const last = await write(driver, 'l/z', 'z');
      expect((await driver.list({ prefix: 'l/' }, query)).entries.find(({ key }) => key === 'l/z')).toEqual(last);
    }),

    proof(
      'commit says what each put wrote and whether each delete found something',
      { ...needs, capable: severalKeys },
      async ({ bare, expect }) => {
        const driver = await bare();
        await write(driver, 'c/old', 'x');
        const outcome = await commit(driver, { put: 'c/new', value: bytes('1') }, { delete: 'c/old' }, { delete: 'c/none' });
        if (!outcome.ok) throw new Error('a commit without checks failed');
        expect(outcome.results.length).toBe(3);
        expect([outcome.results[0]?.entry?.key, text(outcome.results[0]?.entry)]).toEqual(['c/new', '1']);
        expect([outcome.results[1]?.existed, outcome.results[2]?.existed]).toEqual([true, false]);
      },
    ),

    proof('a failed check names its key, and what stands there where it is known', needs, async ({ bare, expect }) => {
      const driver = await bare();
      const old = await write(driver, 'c/k', '1');
      const now = await write(driver, 'c/k', '2');
      for (const entry of [old, undefined]) {
        const outcome = await driver.commit({ checks: [{ key: 'c/k', entry }], ops: [{ put: 'c/k', value: bytes('3') }] }, call);
        expect(outcome.ok).toBe(false);
        if (outcome.ok) return;
        expect(outcome.failed.map(({ key }) => key)).toEqual(['c/k']);
        const [failed] = outcome.failed;
        if (failed !== undefined && 'current' in failed) expect(failed.current).toEqual(now);
      }
      expect(text((await driver.list({ key: 'c/k' }, query)).entries[0])).toBe('2');
    }),

    proof(
      'deletePrefix deletes what lies below, in one message',
      { ...needs, capable: wholeRanges },
      async ({ bare, record, limit, expect }) => {
        const driver = await bare();
        const kept = { d: 'd', 'd-/x': 'd-/x', dx: 'dx' };
        for (const key of ['d/a', 'd/b/c', ...Object.keys(kept)]) await write(driver, key, key);
        const feed = record(driver.feed$({ prefix: '' }));
        await addsUp(feed, { 'd/a': 'd/a', 'd/b/c': 'd/b/c', ...kept }, limit);
        const before = feed.values.length;
        await commit(driver, { deletePrefix: 'd/' });
        await addsUp(feed, kept, limit);
        expect(feed.values.slice(before).filter(({ type }) => type !== 'mark').length).toBe(1);
      },
    ),
  ],
};
