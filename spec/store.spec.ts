import { filter, firstValueFrom, lastValueFrom, NEVER, Subject, switchMap, timer } from 'rxjs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createWorld, memory } from '../src/backends/memory/index.js';
import { quietFor } from '../src/conformance/waiting.js';
import type { Driver, Outcome } from '../src/driver.js';
import { KvError } from '../src/errors.js';
import type { Store } from '../src/interface.js';
import { createStore } from '../src/store.js';
import { text } from '../src/text.js';

const stores: Store[] = [];

function open(driver: Driver = memory(), options?: Parameters<typeof createStore>[1]): Store {
  const store = createStore(driver, options);
  stores.push(store);
  return store;
}

afterEach(async () => {
  await Promise.all(stores.splice(0).map(store => store.close()));
});

/** A driver whose commits answer when a spec says so. */
function slow(): { driver: Driver; answer: (outcome: Outcome) => void; calls: () => number } {
  const driver = memory();
  const pending: ((outcome: Outcome) => void)[] = [];
  driver.commit = () => new Promise(resolve => pending.push(resolve));
  return { driver, answer: outcome => pending.shift()?.(outcome), calls: () => pending.length };
}

describe('createStore', () => {
  test('refuses what is no driver, a driver that has a store, and options that it does not know', () => {
    const driver = memory();
    open(driver);
    expect(() => createStore(driver)).toThrow(/already has a store/);
    expect(() => createStore(undefined as never)).toThrow(/needs a driver/);
    expect(() => createStore(memory(), { timout: 5 } as never)).toThrow(/did you mean "timeout"/);
    for (const timeout of [0, -1, Number.NaN, '5' as never])
      expect(() => createStore(memory(), { timeout })).toThrow(/timeout is a number of ms/);
    for (const linger of [-1, '5', null]) expect(() => createStore(memory(), { linger } as never)).toThrow(/linger/);
    for (const logger of [{}, null, { debug: () => {} }])
      expect(() => createStore(memory(), { logger } as never)).toThrow(/logger is an object with debug, info, warn, error/);
    expect(() => open(memory(), { logger: console })).not.toThrow();
  });

  // A timer that is asked for more than 24 days fires at once.
  test.each([Infinity, 2 ** 31])('takes a timeout of %d ms for a very long one', async timeout => {
    const driver = memory();
    const session$ = driver.session$.bind(driver);
    driver.session$ = ttl => timer(20).pipe(switchMap(() => session$(ttl)));
    const given = vi.spyOn(driver, 'start');
    const store = open(driver, { timeout, silence: timeout, linger: timeout });
    await using _lock = await store.lock('a', { timeout });
    const list = vi.spyOn(driver, 'list');
    await store.get('a', { timeout });
    for (const ms of [given.mock.calls[0]?.[0].timeout, given.mock.calls[0]?.[0].silence, list.mock.calls[0]?.[1].timeout]) {
      expect(ms).toBeGreaterThan(86_400_000);
      expect(ms).toBeLessThan(2 ** 31);
    }
  });

  test('waits for calls at close() however long the timeout', async () => {
    const { driver, answer } = slow();
    const store = open(driver, { timeout: Infinity });
    const removed = store.delete('a');
    const closing = store.close();
    await quietFor(20, 'a timer that was asked for more than it holds fires at once');
    answer({ ok: true, results: [{ existed: true }] });
    await expect(removed).resolves.toBe(true);
    await closing;
  });

  test('does nothing before it is used', () => {
    const store = open();
    expect(store.native).toBeUndefined();
    expect(store.backend).toBe('memory');
  });
});

describe('a call', () => {
  test('always rejects, never throws', async () => {
    const store = open();
    for (const call of [
      () => store.get('a//b'),
      () => store.get(undefined as never),
      () => store.put('a', 5 as never),
      () => store.put('a', 'b', { ttl: Number.NaN }),
      () => store.put('a', 'b', { tll: 5 } as never),
      () => store.list('a', { depth: 0 }),
      () => store.get('a', { consistency: 'weak' as never }),
      () => store.get('a', { timeout: -1 }),
      () => store.get('a', { signal: {} as never }),
      () => store.get('a', { signal: null as never }),
      () => store.get('a', { signal: { aborted: false, addEventListener: () => {} } as never }),
      () => store.lock('a', null as never),
      () => store.lock('a', 5 as never),
      () => store.lock('a', { signal: {} as never }),
      () => store.lock('a', { signal: null as never }),
      () => store.withLock('a', async () => {}, null as never),
      () => lastValueFrom(store.elect$('a', undefined as never)),
      () => lastValueFrom(store.elect$('a', null as never)),
      // What has been through JSON.
      () => store.atomicPut('a', 'b', { key: 'a', revision: 1n } as never),
      () => store.atomicDelete('a', { key: 'a', revision: 1n, created: 1n, value: {} } as never),
      () => store.get('a', 'strong' as never),
      () => store.update('a', undefined as never),
      () => store.atomicPut('a', 'b', null as never),
      () => store.atomicDelete('a', undefined as never),
      () => store.transaction(undefined as never),
      () => store.transaction({ ops: [{}] as never }),
      () => store.transaction({ ops: [{ put: 'a', value: '', delete: 'a' } as never] }),
      () => store.lock('a', { wait: -1 }),
      () => store.lock('a', { ttl: 0 }),
      () => store.withLock('a', undefined as never),
      () => store.put('a', 'b', { lock: {} as never }),
    ]) {
      const code = await call().then(
        () => 'resolved',
        (error: unknown) => (KvError.is(error) ? error.code : error),
      );
      expect([call.toString(), code]).toEqual([call.toString(), 'invalid']);
    }
  });

  test('with an aborted signal asks nobody', async () => {
    const { driver, calls } = slow();
    const store = open(driver);
    await expect(store.put('a', 'b', { signal: AbortSignal.abort('why') })).rejects.toMatchObject({ code: 'aborted', cause: 'why' });
    expect(calls()).toBe(0);
  });

  test('aborted under way rejects at once, and a write may have been applied', async () => {
    const { driver, answer } = slow();
    const store = open(driver);
    const controller = new AbortController();
    const put = store.put('a', 'b', { signal: controller.signal });
    controller.abort();
    await expect(put).rejects.toMatchObject({ code: 'aborted', outcome: 'unknown' });
    answer({ ok: true, results: [{}] });
  });

  test('with a foreign error of the driver rejects as internal', async () => {
    const driver = memory();
    driver.list = () => Promise.reject(new TypeError('boom'));
    await expect(open(driver).get('a')).rejects.toMatchObject({ code: 'internal', backend: 'memory' });
    const throwing = memory();
    throwing.list = () => {
      throw new TypeError('boom');
    };
    await expect(open(throwing).get('a')).rejects.toMatchObject({ code: 'internal' });
  });

  test('copies the bytes that it is given', async () => {
    const store = open();
    const bytes = Buffer.from('before');
    const put = store.put('a', bytes);
    bytes.fill(0);
    await put;
    expect(text(await store.get('a'))).toBe('before');
  });

  test('copies the bytes of a $ at the call as well, before it is subscribed', async () => {
    const store = open();
    const bytes = Buffer.from('before');
    const [alive$, lock$] = [store.keepAlive$('a', bytes, { ttl: 1000 }), store.lock$('a', { value: bytes })];
    bytes.fill(0);
    expect(text(await firstValueFrom(alive$))).toBe('before');
    const holding = lock$.subscribe();
    await expect(firstValueFrom(store.leader$('a').pipe(filter(leader => leader !== undefined)))).resolves.toMatchObject({ id: 'before' });
    holding.unsubscribe();
  });

  test('that is wrong asks nobody', async () => {
    const driver = memory();
    const [list, commit] = [vi.spyOn(driver, 'list'), vi.spyOn(driver, 'commit')];
    const store = open(driver);
    const change = vi.fn(() => undefined);
    await expect(store.update('a', change, { ttl: -1 })).rejects.toMatchObject({ code: 'invalid' });
    await expect(store.update('a//b', change)).rejects.toMatchObject({ code: 'invalid' });
    await expect(
      store.transaction({
        ops: [
          { put: 'a', value: '' },
          { put: 'b', value: 5 as never },
        ],
      }),
    ).rejects.toMatchObject({ code: 'invalid' });
    await expect(store.atomicPut('a', '', undefined, { ttl: Number.NaN })).rejects.toMatchObject({ code: 'invalid' });
    expect([list.mock.calls.length, commit.mock.calls.length, change.mock.calls.length]).toEqual([0, 0, 0]);
  });

  test('of a view names keys in its errors as the view sees them', async () => {
    const view = open().at('x').at('y');
    for (const call of [
      () => view.put('a', 5 as never),
      () => view.put('a', 'b', { ttl: 'kept' as never }),
      () => view.atomicPut('a', 'b', null as never),
      () => view.atomicPut('a', 'b', { key: 'other', revision: 1n, created: 1n, value: new Uint8Array(), leased: false }),
      () => view.transaction({ ops: [{ put: 'a', value: '' }, { delete: 'a' }] }),
      () => view.transaction({ ops: [{ put: 'd/a', value: '' }, { deleteTree: 'd' }] }),
    ]) {
      const error: unknown = await call().catch((reason: unknown) => reason);
      if (!KvError.is(error)) throw error;
      expect(error.code).toBe('invalid');
      expect(['a', undefined]).toContain(error.key);
      expect(error.message).not.toContain('x/y');
    }
  });

  test('says which option was probably meant', async () => {
    await expect(open().put('a', 'b', { tll: 5 } as never)).rejects.toThrow('unknown option "tll" of put: did you mean "ttl"?');
  });
});

describe('one try at a lock', () => {
  test('that nobody answers is a timeout, not a conflict', async () => {
    const world = createWorld();
    const store = open(memory({ world }), { timeout: 100 });
    await store.ready();
    world.hang();
    await expect(store.lock('a', { wait: 0 })).rejects.toMatchObject({ code: 'timeout' });
    world.heal();
    world.cut();
    await expect(store.lock('a', { wait: 0 })).rejects.toMatchObject({ code: 'unavailable' });
    world.heal();
  });

  test('is a conflict in time, also of a driver that does not tell who is behind', async () => {
    const driver = memory();
    driver.acquire$ = () => NEVER;
    const store = open(driver, { timeout: 50 });
    await expect(store.lock('a', { wait: 0 })).rejects.toMatchObject({ code: 'conflict', key: 'a' });
  });
});

describe('close', () => {
  test('lets calls in flight settle, refuses new ones, and is harmless again', async () => {
    const { driver, answer } = slow();
    const store = open(driver, { timeout: 1000 });
    const put = store.delete('a');
    const closing = store.close();
    await expect(store.get('a')).rejects.toMatchObject({ code: 'closed' });
    answer({ ok: true, results: [{ existed: true }] });
    await expect(put).resolves.toBe(true);
    await closing;
    await store.close();
  });

  test('gives up calls that do not settle, within the timeout', async () => {
    const { driver } = slow();
    const store = open(driver, { timeout: 200 });
    const put = store.put('a', 'b');
    const started = performance.now();
    const closing = store.close();
    await expect(put).rejects.toMatchObject({ code: 'closed', outcome: 'unknown' });
    await closing;
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test('settles however the driver fails to close', async () => {
    for (const fail of [
      () => Promise.reject(new Error('no')),
      () => {
        throw new Error('no');
      },
    ]) {
      const driver = memory();
      driver.close = fail;
      await open(driver).close();
    }
  });

  test('completes every stream, and later subscriptions are told', async () => {
    const store = open();
    const ends: string[] = [];
    const follow = (name: string, store$: ReturnType<Store['watch$']> | ReturnType<Store['watchTree$']>): void => {
      (store$ as Subject<unknown>).subscribe({ complete: () => ends.push(name) });
    };
    follow('watch$', store.watch$('a'));
    follow('watchTree$', store.watchTree$('a'));
    follow('view', store.at('x').watchTree$('', { depth: 1 }));
    follow('leader$', store.leader$('a') as never);
    follow('lock$', store.lock$('a') as never);
    follow('elect$', store.elect$('a', { id: 'me' }) as never);
    follow('keepAlive$', store.keepAlive$('k', '', { ttl: 1000 }) as never);
    follow('status$', store.status$ as never);
    await store.close();
    expect(ends.sort()).toEqual(['elect$', 'keepAlive$', 'leader$', 'lock$', 'status$', 'view', 'watch$', 'watchTree$']);
    for (const late$ of [
      store.watch$('a'),
      store.watchTree$('a'),
      store.leader$('a'),
      store.lock$('a'),
      store.keepAlive$('a', '', { ttl: 1000 }),
    ]) {
      await expect(firstValueFrom(late$ as never)).rejects.toMatchObject({ code: 'closed' });
    }
  });

  test('of a view closes nothing', async () => {
    const store = open();
    await store.at('a').close();
    await store.at('a').at('b').close();
    await expect(store.at('a').put('b', 'c')).resolves.toMatchObject({ key: 'b' });
    expect(text(await store.get('a/b'))).toBe('c');
  });
});

describe('status$', () => {
  test('goes idle, connecting, live, stale, live, closed', async () => {
    const world = createWorld();
    const store = open(memory({ world }));
    const states: string[] = [];
    store.status$.subscribe(({ state, error }) => states.push(error === undefined ? state : `${state}: ${error.code}`));
    await store.get('a');
    world.cut();
    await expect(store.get('a')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(store.get('a')).rejects.toMatchObject({ code: 'unavailable' });
    world.heal();
    await store.get('a');
    await store.close();
    expect(states).toEqual(['idle', 'connecting', 'live', 'stale: unavailable', 'live', 'closed']);
  });

  test('says closed to those who come later', async () => {
    const store = open();
    await store.close();
    await expect(firstValueFrom(store.status$)).resolves.toMatchObject({ state: 'closed' });
    await expect(lastValueFrom(store.at('a').status$)).resolves.toMatchObject({ state: 'closed' });
  });

  test('a conflict is an answer', async () => {
    const store = open();
    await store.put('a', '');
    const states: string[] = [];
    store.status$.subscribe(({ state }) => states.push(state));
    await expect(store.atomicPut('a', '', undefined)).rejects.toMatchObject({ code: 'conflict' });
    expect(states).toEqual(['live']);
  });
});

describe('an update', () => {
  test('that is aborted writes nothing more', async () => {
    const store = open();
    const controller = new AbortController();
    const change = vi.fn(async () => {
      controller.abort();
      await Promise.resolve();
      return 'late';
    });
    await expect(store.update('a', change, { signal: controller.signal })).rejects.toMatchObject({ code: 'aborted' });
    await expect(store.get('a')).resolves.toBeUndefined();
  });

  test('is told that another came in between, and goes on from there', async () => {
    const store = open();
    await store.put('a', '1');
    const seen: (string | undefined)[] = [];
    await store.update('a', async current => {
      seen.push(text(current));
      if (seen.length === 1) await store.put('a', '2');
      return `${text(current)}!`;
    });
    expect(seen).toEqual(['1', '2']);
    expect(text(await store.get('a'))).toBe('2!');
  });

  test('passes on what its function throws, as it is', async () => {
    const store = open();
    const boom = new RangeError('over the quota');
    const throwing = (): never => {
      throw boom;
    };
    await expect(store.update('a', throwing)).rejects.toBe(boom);
    await expect(store.update('a', () => Promise.reject(boom))).rejects.toBe(boom);
    await expect(firstValueFrom(store.status$)).resolves.toMatchObject({ state: 'live' });
  });

  test('whose outcome is unknown is thrown, not repeated', async () => {
    const driver = memory();
    const store = open(driver);
    let commits = 0;
    driver.commit = () => {
      commits++;
      return Promise.reject(new KvError('timeout', 'no answer', { outcome: 'unknown' }));
    };
    await expect(store.update('a', () => 'x')).rejects.toMatchObject({ code: 'timeout', outcome: 'unknown' });
    expect(commits).toBe(1);
  });
});
