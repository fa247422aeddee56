import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { createWorld, memory } from '../../../src/backends/memory/index.js';
import type { Change, Driver, DriverOp, Feed, Range } from '../../../src/driver.js';
import type { Entry } from '../../../src/entry.js';
import { context, pair, put } from '../local/scene.js';

const call = { timeout: 5000, consistency: 'strong' } as const;
const ranges: readonly Range[] = [
  { prefix: '' },
  { prefix: 'a/' },
  { prefix: 'a/b/' },
  { prefix: '~rxkv/l/' },
  { key: 'a' },
  { key: 'a/b' },
];

/** What a feed's subscriber knows, and the rules that its messages keep. */
class Fold {
  known: Map<string, Entry> | undefined;
  said: bigint | undefined;

  take(message: Feed): void {
    if (message.type === 'reset') this.known = new Map(message.entries.map(entry => [entry.key, entry]));
    else expect(this.known).toBeDefined();
    if (message.type === 'patch') for (const change of message.changes) this.apply(change);
    if (message.revision === undefined) return;
    if (this.said !== undefined) expect(message.revision >= this.said).toBe(true);
    this.said = message.revision;
  }

  get pairs(): string[] {
    return [...(this.known?.values() ?? [])].map(pair).sort();
  }

  private apply(change: Change): void {
    const known = this.known ?? new Map<string, Entry>();
    if ('put' in change) known.set(change.put.key, change.put);
    else if ('delete' in change) known.delete(change.delete);
    else {
      for (const key of [...known.keys()]) if (key.startsWith(change.replace)) known.delete(key);
      for (const entry of change.entries) known.set(entry.key, entry);
    }
  }
}

const key = fc.constantFrom('a', 'a/b', 'a/b/c', 'a/c', 'ab', '~rxkv/l/1', '~rxkv/l/2');
const op: fc.Arbitrary<DriverOp> = fc.oneof(
  fc.tuple(key, fc.constantFrom('1', '2', '3')).map(([name, value]) => put(name, value)),
  key.map(name => ({ delete: name })),
  fc.constantFrom('', 'a/', 'a/b/', '~rxkv/l/').map(prefix => ({ deletePrefix: prefix })),
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ batch: fc.array(fc.array(op, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }) }) },
  { weight: 2, arbitrary: fc.constantFrom('cut', 'heal', 'hang', 'compact', 'resubscribe') },
);

async function listed(driver: Driver, range: Range): Promise<string[]> {
  return (await driver.list(range, call)).entries.map(pair).sort();
}

describe('law: fold', () => {
  test.prop([fc.array(step, { maxLength: 30 }), fc.constantFrom('', 'app')])(
    'what a feed says adds up to what a list shows, whatever happens on the way',
    async (steps, root) => {
      const world = createWorld();
      const [watching, writing] = [memory({ world, root }), memory({ world, root })];
      for (const driver of [watching, writing]) driver.start(context({ silence: 60_000 }));
      await watching.ready(call);
      const folds = ranges.map(() => new Fold());
      const subscribe = (): { unsubscribe(): void }[] =>
        ranges.map((range, i) => watching.feed$(range, folds[i]?.said).subscribe(message => folds[i]?.take(message)));
      let subscriptions = subscribe();
      for (const one of steps) {
        if (typeof one === 'object') await Promise.all(one.batch.map(ops => writing.commit({ checks: [], ops }, call)));
        else if (one === 'compact') world.compact();
        else if (one !== 'resubscribe') world[one](watching);
        else {
          for (const subscription of subscriptions) subscription.unsubscribe();
          subscriptions = subscribe();
        }
      }
      world.heal();
      for (const [i, range] of ranges.entries()) expect(folds[i]?.pairs).toEqual(await listed(writing, range));
      for (const subscription of subscriptions) subscription.unsubscribe();
      await Promise.all([watching.close(), writing.close()]);
    },
  );
});
