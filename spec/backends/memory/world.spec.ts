import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createWorld, memory, type World } from '../../../src/backends/memory/index.js';
import type { Driver, Feed, Session } from '../../../src/driver.js';
import { KvError } from '../../../src/errors.js';
import { context, hear, put } from '../local/scene.js';
import { Keepers } from '../local/timers.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const silence = 2000;
const call = { timeout: 1000 };
const turn = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

/** Two clients of one world: faults concern the first. */
class Pair {
  readonly world: World = createWorld();
  readonly driver: Driver = this.connect();
  readonly other: Driver = this.connect();

  connect(): Driver {
    const driver = memory({ world: this.world });
    driver.start(context({ silence, timeout: 1000 }));
    return driver;
  }

  write(key: string, value = 'x', more: Parameters<typeof put>[2] = {}, driver: Driver = this.other): Promise<unknown> {
    return driver.commit({ checks: [], ops: [put(key, value, more)] }, call);
  }

  async keys(driver: Driver = this.other): Promise<string[]> {
    const { entries } = await driver.list({ prefix: '' }, { ...call, consistency: 'strong' });
    return entries.map(({ key }) => key);
  }

  hold(ttl: number): { session: Session; error: () => string | undefined; end: () => void } {
    const held: { session?: Session; error?: string } = {};
    const subscription = this.driver.session$(ttl).subscribe({
      next: session => {
        held.session = session;
      },
      error: (error: unknown) => {
        held.error = KvError.is(error) ? error.code : String(error);
      },
    });
    return {
      get session() {
        if (held.session === undefined) throw new Error('the session is not live');
        return held.session;
      },
      error: () => held.error,
      end: () => subscription.unsubscribe(),
    };
  }
}

async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => (KvError.is(error) ? `${error.code}${error.outcome === undefined ? '' : ` ${error.outcome}`}` : String(error)),
  );
}

test('drivers of one world share it; of two they do not', async () => {
  const pair = new Pair();
  await pair.write('a');
  expect(await pair.keys(pair.driver)).toEqual(['a']);
  expect(await pair.keys(new Pair().driver)).toEqual([]);
});

describe('cut', () => {
  test('calls are refused at once, of that driver alone, until it is healed', async () => {
    const pair = new Pair();
    await pair.write('a');
    pair.world.cut(pair.driver);
    expect(
      await Promise.all([code(pair.write('b', '', {}, pair.driver)), code(pair.keys(pair.driver)), code(pair.driver.ready(call))]),
    ).toEqual(Array(3).fill('unavailable'));
    expect(await pair.driver.health(call)).toMatchObject({ ok: false, error: { code: 'unavailable' } });
    expect(await pair.keys()).toEqual(['a']);
    pair.world.heal(pair.driver);
    expect(await pair.keys(pair.driver)).toEqual(['a']);
  });

  test('of the world is of all its drivers, those to come included', async () => {
    const pair = new Pair();
    pair.world.cut();
    const third = pair.connect();
    expect(await Promise.all([pair.driver, pair.other, third].map(driver => code(pair.keys(driver))))).toEqual(
      Array(3).fill('unavailable'),
    );
    pair.world.heal(third);
    expect([await code(pair.keys(third)), await code(pair.keys())]).toEqual(['resolved', 'unavailable']);
    pair.world.heal();
    expect(await code(pair.keys())).toBe('resolved');
  });

  test('a feed that is healed in time goes on silently from where it was', async () => {
    const pair = new Pair();
    await pair.write('a', '1');
    const [all, key] = [hear(pair.driver.feed$({ prefix: '' })), hear(pair.driver.feed$({ key: 'a' }))];
    await turn();
    pair.world.cut(pair.driver);
    await pair.write('b', '2');
    await turn(silence - 1);
    expect(all).toEqual(['reset 1: a=1']);
    pair.world.heal(pair.driver);
    await pair.write('c', '3');
    expect(all).toEqual(['reset 1: a=1', 'patch 2: +b=2', 'patch 3: +c=3']);
    expect(key).toEqual(['reset 1: a=1', 'mark 2']);
    await turn(2 * silence);
    expect(all).toHaveLength(3);
    all.stop();
    key.stop();
  });

  test('a feed that is healed after compact() is told anew', async () => {
    const pair = new Pair();
    const all = hear(pair.driver.feed$({ prefix: '' }));
    await turn();
    pair.world.cut(pair.driver);
    await pair.write('a', '1');
    pair.world.compact();
    pair.world.heal(pair.driver);
    expect(all).toEqual(['reset 0:', 'reset 1: a=1']);
    all.stop();
  });

  test('a feed that is not healed errors at silence, counted from the cut, and a change of fault does not prolong it', async () => {
    const pair = new Pair();
    const all = hear(pair.driver.feed$({ prefix: '' }));
    await turn();
    pair.world.cut(pair.driver);
    await turn(silence - 1);
    pair.world.hang(pair.driver);
    pair.world.cut(pair.driver);
    expect(all).toEqual(['reset 0:']);
    await turn(1);
    expect(all).toEqual(['reset 0:', 'error unavailable']);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a feed that is started meanwhile waits for heal, up to silence', async () => {
    const pair = new Pair();
    await pair.write('a', '1');
    pair.world.cut(pair.driver);
    const [healed, late, resumed] = [
      hear(pair.driver.feed$({ prefix: '' })),
      hear(pair.driver.feed$({ prefix: '' })),
      hear(pair.driver.feed$({ prefix: '' }, 1n)),
    ];
    await turn(silence - 1);
    expect([healed, late]).toEqual([[], []]);
    pair.world.heal(pair.driver);
    await turn();
    expect([healed, resumed]).toEqual([['reset 1: a=1'], ['mark 1']]);
    pair.world.cut(pair.driver);
    const second = hear(pair.driver.feed$({ prefix: '' }));
    await turn(silence);
    expect(second).toEqual(['error unavailable']);
  });

  test('an end without a limit is waited for', async () => {
    const { world } = new Pair();
    const driver = memory({ world });
    driver.start(context({ silence: Infinity }));
    const all = hear(driver.feed$({ prefix: '' }));
    world.cut(driver);
    await turn(3_000_000);
    world.heal(driver);
    await turn();
    expect(all).toEqual(['reset 0:']);
    all.stop();
  });
});

describe('hang', () => {
  test('calls are given up by their deadline and not applied, also when it is healed before', async () => {
    const pair = new Pair();
    await pair.write('a');
    await pair.keys(pair.driver);
    pair.world.hang(pair.driver);
    const calls = Promise.all([code(pair.write('b', '', {}, pair.driver)), code(pair.keys(pair.driver)), code(pair.driver.ready(call))]);
    await turn(500);
    pair.world.heal(pair.driver);
    expect(await pair.keys(pair.driver)).toEqual(['a']);
    await turn(510);
    expect(await calls).toEqual(['timeout unknown', 'timeout', 'timeout']);
    expect(await pair.keys()).toEqual(['a']);
  });

  test('a write that was made in the same turn is not applied either; one that was applied before is', async () => {
    const pair = new Pair();
    await pair.keys(pair.driver);
    const early = pair.write('early', '', {}, pair.driver);
    await early;
    const late = code(pair.write('late', '', {}, pair.driver));
    pair.world.hang(pair.driver);
    await turn(1010);
    expect([await late, await pair.keys()]).toEqual(['timeout unknown', ['early']]);
  });

  test('feeds say nothing, and error at silence unless healed before', async () => {
    const pair = new Pair();
    const [mended, lost] = [hear(pair.driver.feed$({ prefix: '' })), hear(pair.driver.feed$({ prefix: '' }))];
    await turn();
    pair.world.hang(pair.driver);
    await pair.write('a', '1');
    await turn(silence / 2);
    pair.world.heal(pair.driver);
    expect(mended).toEqual(['reset 0:', 'patch 1: +a=1']);
    mended.stop();
    pair.world.hang(pair.driver);
    await turn(silence);
    expect(lost.at(-1)).toBe('error unavailable');
  });
});

describe('sessions under faults', () => {
  for (const fault of ['cut', 'hang'] as const)
    test(`a holder behind a ${fault} is told before the others see its key go`, async () => {
      const pair = new Pair();
      const held = pair.hold(600);
      await turn();
      await pair.write('mine', '', { session: held.session }, pair.driver);
      const others = hear(pair.other.feed$({ prefix: '' }));
      await turn(1000);
      pair.world[fault](pair.driver);
      while (held.error() === undefined) {
        expect(await pair.keys()).toEqual(['mine']);
        await turn(10);
      }
      expect([held.error(), held.session.remaining()]).toEqual(['session-lost', 0]);
      expect(others).toEqual(['reset 1: mine=']);
      await turn(200);
      expect([await pair.keys(), others.at(-1)]).toEqual([[], 'patch 2: -mine']);
      others.stop();
    });

  test('a fault that is healed within the ttl is no loss', async () => {
    const pair = new Pair();
    const held = pair.hold(900);
    await turn();
    // What was asked while it hung is given up after a third of the ttl, and only then asked again.
    for (const [fault, ms] of [
      ['cut', 500],
      ['hang', 250],
    ] as const) {
      pair.world[fault](pair.driver);
      await turn(ms);
      pair.world.heal(pair.driver);
      await turn(900);
    }
    expect(held.error()).toBeUndefined();
    held.end();
  });

  test('ttls expire and sessions end while everything is cut', async () => {
    const pair = new Pair();
    const held = pair.hold(300);
    await turn();
    await pair.write('mine', '', { session: held.session }, pair.driver);
    await pair.write('ttl', '', { ttl: 300 });
    const others = hear(pair.other.feed$({ prefix: '' }));
    pair.world.cut();
    await turn(1000);
    pair.world.heal();
    expect(others.at(-1)).toMatch(/^patch \d: (-mine -ttl|-ttl -mine)$/);
    others.stop();
  });

  test('expireSessions() takes the keys at once, and holders learn it at the next renewal', async () => {
    const pair = new Pair();
    const held = pair.hold(600);
    await turn();
    await pair.write('mine', '', { session: held.session }, pair.driver);
    await pair.write('taken', '', { session: held.session }, pair.driver);
    await pair.write('taken', 'by another');
    const others = hear(pair.other.feed$({ prefix: '' }));
    await turn();
    pair.world.expireSessions();
    expect(others.at(-1)).toBe('patch 4: -mine');
    expect(await code(pair.write('more', '', { session: held.session }, pair.driver))).toBe('session-lost');
    await turn(200);
    expect(held.error()).toBe('session-lost');
    others.stop();
  });

  test('a session that ends while it is cut lapses', async () => {
    const pair = new Pair();
    const held = pair.hold(300);
    await turn();
    await pair.write('mine', '', { session: held.session }, pair.driver);
    pair.world.cut(pair.driver);
    held.end();
    await turn();
    expect(await pair.keys()).toEqual(['mine']);
    await turn(400);
    expect(await pair.keys()).toEqual([]);
  });
});

test('the key of a store that has closed expires for those who watch on, whenever they began', async () => {
  const pair = new Pair();
  const elsewhere = hear(pair.other.feed$({ prefix: 'elsewhere/' }));
  await pair.write('ttl', '', { ttl: 500 }, pair.driver);
  await pair.driver.close();
  const seen: Feed[] = [];
  const late = pair.other.feed$({ key: 'ttl' }).subscribe(message => seen.push(message));
  await turn(500);
  expect(seen.at(-1)).toMatchObject({ type: 'patch', changes: [{ delete: 'ttl' }] });
  late.unsubscribe();
  elsewhere.stop();
});

test('a driver closes within its timeout behind any fault, and faults of a closed one do nothing', async () => {
  for (const fault of ['cut', 'hang'] as const) {
    const pair = new Pair();
    const held = pair.hold(60_000);
    const feed = hear(pair.driver.feed$({ prefix: '' }));
    await turn();
    pair.world[fault](pair.driver);
    const waiting = hear(pair.driver.feed$({ prefix: '' }));
    let closed = false;
    void pair.driver.close().then(() => (closed = true));
    await turn(1000);
    expect([closed, feed.at(-1), waiting.at(-1), held.error()]).toEqual([true, 'error closed', 'error closed', 'closed']);
    await turn(5000);
    pair.world.heal(pair.driver);
    pair.world.cut();
    // The world's own, for the session that could not be ended.
    expect(vi.getTimerCount()).toBe(1);
    vi.clearAllTimers();
  }
});

test('a driver of another world is refused', () => {
  const pair = new Pair();
  for (const fault of ['cut', 'heal', 'hang'] as const) {
    expect(() => pair.world[fault](new Pair().driver)).toThrow(expect.objectContaining({ code: 'invalid' }));
  }
});

test('a live feed and a session keep the process alive, an idle store with leased keys does not', async () => {
  vi.useRealTimers();
  const keepers = new Keepers();
  onTestFinished(() => keepers.restore());
  const pair = new Pair();
  await pair.write('a', '', { ttl: 60_000 }, pair.driver);
  expect(setTimeout).toHaveBeenCalled();
  expect(keepers.count).toBe(0);
  const feed = hear(pair.driver.feed$({ prefix: '' }));
  expect(keepers.count).toBe(1);
  feed.stop();
  expect(keepers.count).toBe(0);
  const held = pair.hold(60_000);
  await vi.waitFor(() => expect(held.session.ttl).toBe(60_000));
  expect(keepers.count).toBeGreaterThan(0);
  held.end();
  await pair.driver.close();
  expect(keepers.count).toBe(0);
});
