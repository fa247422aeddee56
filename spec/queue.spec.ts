import { defer, NEVER, Subject } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import type { Driver, DriverOp, Feed, Grant, OpResult, Session } from '../src/driver.js';
import type { Entry } from '../src/entry.js';
import { KvError } from '../src/errors.js';
import { createQueue } from '../src/queue.js';
import { Sharing } from '../src/sharing.js';
import { entry } from './entries.js';

const session: Session = { id: 's', ttl: 1000, remaining: () => 1000 };
const value = new Uint8Array(0);
const directory = '~rxkv/job';

/** A queue on a driver whose answers and news a spec speaks for. */
class Scene {
  feed: Subject<Feed> = new Subject<Feed>();
  subscriptions = 0;
  readonly committed: DriverOp[] = [];
  /** What a strong read finds. */
  stored: Entry[] = [];
  /** The revision that the next put gets. */
  revision = 1;
  readonly endings: Promise<void>[] = [];
  readonly grants: Grant[] = [];
  readonly errors: unknown[] = [];
  behind = 0;

  private readonly driver: Pick<Driver, 'list' | 'commit'> = {
    list: ({ ...range }) =>
      Promise.resolve({ entries: this.stored.filter(({ key }) => 'key' in range && key === range.key), revision: 0n }),
    commit: ({ ops }) => {
      this.committed.push(...ops);
      const results: OpResult[] = ops.map(op =>
        'put' in op ? { entry: entry(op.put, '', this.revision, { leased: true }) } : { existed: true },
      );
      this.stored.push(...results.flatMap(result => (result.entry === undefined ? [] : [result.entry])));
      return Promise.resolve({ ok: true, results });
    },
  };

  private readonly queue = createQueue(this.driver, {
    feed$: () =>
      defer(() => {
        this.subscriptions++;
        this.feed = new Subject<Feed>();
        return this.feed;
      }),
    sharing: new Sharing(NEVER),
    timeout: 1000,
    ending: work => this.endings.push(work),
  });

  /** Contends, and resolves once its record is written and the feed asked for. */
  async contend(): Promise<{ key: string; withdraw: () => void }> {
    const puts = this.puts().length;
    const subscription = this.queue
      .acquire$(session, directory, value, () => this.behind++)
      .subscribe({ next: grant => this.grants.push(grant), error: error => this.errors.push(error) });
    await vi.waitUntil(() => this.puts().length > puts && this.subscriptions > 0, { interval: 1 });
    return { key: this.puts().at(-1) as string, withdraw: () => subscription.unsubscribe() };
  }

  holders(): (bigint | undefined)[] {
    const seen: (bigint | undefined)[] = [];
    this.queue.holder$(directory).subscribe(holder => seen.push(holder?.fence));
    return seen;
  }

  say(...contenders: Entry[]): void {
    this.feed.next({ type: 'reset', entries: contenders, revision: 1n });
  }

  deleted(): string[] {
    return this.committed.flatMap(op => ('delete' in op ? [op.delete] : []));
  }

  puts(): string[] {
    return this.committed.flatMap(op => ('put' in op ? [op.put] : []));
  }
}

const contender = (key: string, created: number, leased = true): Entry => entry(key, '', created, { leased });

describe('the portable queue', () => {
  test('the lowest created holds, and that is its fence', async () => {
    const scene = new Scene();
    const { key } = await scene.contend();
    scene.say(contender(key, 1), contender(`${directory}/other`, 2));
    expect(scene.grants).toMatchObject([{ key, fence: 1n, session }]);
    expect(scene.behind).toBe(0);
  });

  test('who is behind waits until those before are gone, and is granted once', async () => {
    const scene = new Scene();
    scene.revision = 5;
    const { key } = await scene.contend();
    scene.say(contender(key, 5), contender(`${directory}/other`, 2));
    expect([scene.grants.length, scene.behind]).toEqual([0, 1]);
    scene.say(contender(key, 5));
    scene.say(contender(key, 5), contender(`${directory}/later`, 9));
    expect(scene.grants).toHaveLength(1);
  });

  test('a record without a session stands in nobody’s way', async () => {
    const scene = new Scene();
    scene.revision = 5;
    const { key } = await scene.contend();
    scene.say(contender(key, 5), contender(`${directory}/stray`, 2, false));
    expect(scene.grants).toHaveLength(1);
  });

  test('a feed that is behind our own write is not taken for a loss', async () => {
    const scene = new Scene();
    const { key } = await scene.contend();
    scene.say();
    await new Promise(resolve => setImmediate(resolve));
    expect(scene.errors).toEqual([]);
    scene.say(contender(key, 1));
    expect(scene.grants).toHaveLength(1);
  });

  test('a record that went before the feed ever showed it is a lost session', async () => {
    const scene = new Scene();
    await scene.contend();
    scene.stored = [];
    scene.say();
    await vi.waitUntil(() => scene.errors.length > 0, { interval: 1 });
    expect(scene.errors).toMatchObject([{ code: 'session-lost' }]);
  });

  test('a holder whose record is removed has lost the lock, a waiter its session', async () => {
    const scene = new Scene();
    const { key } = await scene.contend();
    scene.say(contender(key, 1));
    scene.say();
    expect(scene.errors).toMatchObject([{ code: 'lock-lost' }]);
    const waiting = new Scene();
    waiting.revision = 5;
    const { key: mine } = await waiting.contend();
    waiting.say(contender(mine, 5), contender(`${directory}/other`, 2));
    waiting.say(contender(`${directory}/other`, 2));
    expect(waiting.errors).toMatchObject([{ code: 'session-lost' }]);
  });

  test('a record that somebody wrote anew is not ours', async () => {
    const scene = new Scene();
    const { key } = await scene.contend();
    scene.say(contender(key, 1));
    scene.say(contender(key, 7));
    expect(scene.errors).toMatchObject([{ code: 'lock-lost' }]);
  });

  test('guarantee 5: a feed that is cut is no loss while the session stands', async () => {
    const scene = new Scene();
    const { key } = await scene.contend();
    scene.say(contender(key, 1));
    scene.feed.error(new KvError('unavailable', 'cut'));
    await vi.waitUntil(() => scene.subscriptions === 2, { interval: 1 });
    scene.say(contender(key, 1));
    expect([scene.errors, scene.grants.length]).toEqual([[], 1]);
  });

  test('a feed that is refused is an error', async () => {
    const scene = new Scene();
    await scene.contend();
    scene.feed.error(new KvError('denied', 'no'));
    expect(scene.errors).toMatchObject([{ code: 'denied' }]);
  });

  test('guarantee 4: unsubscribing withdraws the record, also while it is being written', async () => {
    const scene = new Scene();
    const { key, withdraw } = await scene.contend();
    withdraw();
    await Promise.all(scene.endings);
    expect(scene.deleted()).toEqual([key]);
  });

  test('two contenders of one session have records of their own, and one feed', async () => {
    const scene = new Scene();
    const first = await scene.contend();
    const second = await scene.contend();
    expect(first.key).not.toBe(second.key);
    expect(scene.subscriptions).toBe(1);
  });

  test('the holder is the head; nobody where there is none', async () => {
    const scene = new Scene();
    const seen = scene.holders();
    scene.feed.next({ type: 'mark' });
    scene.say();
    scene.say(contender(`${directory}/a`, 3), contender(`${directory}/b`, 2));
    scene.say(contender(`${directory}/a`, 3), contender(`${directory}/b`, 2), contender(`${directory}/c`, 4));
    scene.feed.next({ type: 'patch', revision: 9n, changes: [{ delete: `${directory}/b` }] });
    scene.feed.next({ type: 'patch', revision: 9n, changes: [{ replace: `${directory}/`, entries: [] }] });
    expect(seen).toEqual([undefined, 2n, 3n, undefined]);
  });
});
