import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Session } from '../../../src/driver.js';
import type { Step } from '../../../src/backends/local/draft.js';
import { Sessions } from '../../../src/backends/local/session.js';
import { live } from '../../../src/backends/local/row.js';
import { Writer } from '../../../src/backends/local/writer.js';
import { KvError } from '../../../src/errors.js';
import { put, Scene } from './scene.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Send = <R>(step: Step<R>) => Promise<R>;

/** Sessions over a table, whose way can be broken. */
class Sitting extends Scene {
  readonly endings: Promise<void>[] = [];
  readonly writer: Writer = new Writer(this.table, () => {});
  send: Send = step => this.writer.write(step, answer => answer);
  readonly sessions: Sessions = new Sessions({ table: this.table, send: step => this.send(step), ending: work => this.endings.push(work) });

  hold(ttl: number): { session: Session | undefined; error: unknown; end: () => void } {
    const held: { session: Session | undefined; error: unknown; end: () => void } = { session: undefined, error: undefined, end: () => {} };
    const subscription = this.sessions.session$(ttl).subscribe({
      next: session => {
        held.session = session;
      },
      error: (error: unknown) => {
        held.error = KvError.is(error) ? error.code : error;
      },
    });
    held.end = () => subscription.unsubscribe();
    return held;
  }

  get ids(): string[] {
    return [...this.storage.sessions()].map(({ id }) => id);
  }

  /** Binds a key to a session, at the time of the timers. */
  bind(key: string, session: Session | undefined): void {
    this.now();
    this.commit([put(key, '', session === undefined ? {} : { session })]);
  }

  /** Whether a rival sees the key. */
  shows(key: string): boolean {
    const row = this.storage.row(key);
    this.now();
    return row !== undefined && live(row, this.storage, this.at);
  }

  private now(): void {
    this.at = { ...this.at, wall: Date.now(), monotonic: performance.now() };
  }
}

const turn = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

describe('a session', () => {
  test('is live once its row is written, and is renewed for as long as it is held', async () => {
    const scene = new Sitting();
    const held = scene.hold(300);
    expect(held.session).toBeUndefined();
    await turn();
    expect(held.session).toMatchObject({ ttl: 300, id: scene.ids[0] });
    expect(held.session?.remaining()).toBe(300);
    scene.bind('a', held.session);
    const { head } = scene.storage;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(held.error).toBeUndefined();
    expect(held.session?.remaining()).toBeGreaterThan(190);
    expect(scene.shows('a')).toBe(true);
    expect(scene.storage.head).toBe(head);
  });

  test('ends with unsubscribing, with the keys that are still its own, and told in the log', async () => {
    const scene = new Sitting();
    const held = scene.hold(300);
    await turn();
    scene.bind('a', held.session);
    scene.bind('b', held.session);
    scene.bind('b', undefined);
    held.end();
    await Promise.all(scene.endings);
    expect([...scene.storage.rows('', undefined)].map(({ key }) => key)).toEqual(['b']);
    expect([...scene.storage.log(3)]).toEqual([{ revision: 4, changes: [{ delete: 'a' }] }]);
    expect(scene.ids).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('that is unsubscribed while its first write is under way is ended all the same', async () => {
    const scene = new Sitting();
    const held = scene.hold(300);
    held.end();
    expect(scene.endings).toHaveLength(1);
    await Promise.all(scene.endings);
    expect([held.session, scene.ids]).toEqual([undefined, []]);
  });

  test('whose first write was applied without an answer is ended all the same', async () => {
    const scene = new Sitting();
    const { send } = scene;
    scene.send = async step => {
      await send(step);
      scene.send = send;
      throw new KvError('timeout', 'no answer');
    };
    const held = scene.hold(300);
    await turn();
    expect(held.error).toBe('timeout');
    await Promise.all(scene.endings);
    expect(scene.ids).toEqual([]);
  });

  test('that took longer to begin than it lives is lost and never shown', async () => {
    const scene = new Sitting();
    const { send } = scene;
    scene.send = async step => {
      await new Promise(resolve => setTimeout(resolve, 400));
      return send(step);
    };
    const held = scene.hold(300);
    await vi.advanceTimersByTimeAsync(400);
    expect([held.session, held.error]).toEqual([undefined, 'session-lost']);
  });
});

describe('guarantee 5', () => {
  for (const ttl of [100, 3000, 60_000])
    test(`a holder whose renewals fail is told before a rival can see its key go (ttl ${ttl})`, async () => {
      const scene = new Sitting();
      const held = scene.hold(ttl);
      await turn();
      scene.bind('a', held.session);
      await vi.advanceTimersByTimeAsync(ttl / 2);
      scene.send = async () => {
        throw new KvError('unavailable', 'cut');
      };
      let waited = 0;
      for (; held.error === undefined && waited < 3 * ttl; waited += 10) {
        expect(scene.shows('a')).toBe(true);
        await vi.advanceTimersByTimeAsync(10);
      }
      expect([held.error, held.session?.remaining()]).toEqual(['session-lost', 0]);
      expect(scene.shows('a')).toBe(true);
      // And no longer than the grace, or a rival would wait in vain.
      await vi.advanceTimersByTimeAsync(1000);
      expect(scene.shows('a')).toBe(false);
    });

  test('one failed renewal is no loss', async () => {
    const scene = new Sitting();
    const held = scene.hold(300);
    await turn();
    const { send } = scene;
    let failures = 0;
    scene.send = async step => {
      if (failures++ % 2 === 0) throw new KvError('unavailable', 'cut');
      return send(step);
    };
    await vi.advanceTimersByTimeAsync(5000);
    expect(failures).toBeGreaterThan(10);
    expect(held.error).toBeUndefined();
  });

  test('a renewal counts from when it was sent, however late the answer', async () => {
    const scene = new Sitting();
    const held = scene.hold(300);
    await turn();
    const { send } = scene;
    scene.send = async step => {
      const answer = await send(step);
      await new Promise(resolve => setTimeout(resolve, 80));
      return answer;
    };
    await vi.advanceTimersByTimeAsync(181);
    expect(held.session?.remaining()).toBe(300 - 81);
  });

  test('a session that somebody has ended is lost at the next renewal, and never revived', async () => {
    const scene = new Sitting();
    const held = scene.hold(300);
    await turn();
    scene.batch(draft => draft.endSession(held.session?.id ?? ''));
    await vi.advanceTimersByTimeAsync(100);
    expect(held.error).toBe('session-lost');
    await Promise.all(scene.endings);
    expect(scene.ids).toEqual([]);
  });

  test('a session that is over on the table is not revived by a late renewal', async () => {
    const scene = new Sitting();
    const held = scene.hold(300);
    await turn();
    scene.batch(draft => draft.putSession({ id: held.session?.id ?? '', ttl: 300, deadline: performance.now() + 10, boot: 'memory' }));
    await vi.advanceTimersByTimeAsync(100);
    expect(held.error).toBe('session-lost');
  });
});

test('a ttl of a year does not make the renewals spin', async () => {
  const scene = new Sitting();
  let sent = 0;
  const { send } = scene;
  scene.send = step => {
    sent++;
    return send(step);
  };
  const held = scene.hold(366 * 86_400_000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([sent, held.error]).toEqual([1, undefined]);
  held.end();
});

test('failing all sessions ends them', async () => {
  const scene = new Sitting();
  const held = [scene.hold(300), scene.hold(300)];
  await turn();
  scene.sessions.fail(new KvError('closed', 'closed'));
  await Promise.all(scene.endings);
  expect([held.map(({ error }) => error), scene.ids]).toEqual([['closed', 'closed'], []]);
});
