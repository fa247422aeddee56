/** The tests that docs/testing.md shows, in the order in which it shows them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstValueFrom, map, Observable } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { createStore, diff, type Entry, KvError, retryTransient, type Store, text, whileHeld } from 'rxkv';
import { lmdb } from 'rxkv/lmdb';
import { createWorld, memory } from 'rxkv/memory';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

/** The application: what it shows of the configuration. */
function colour$(store: Pick<Store, 'watch$'>): Observable<string> {
  return store.watch$('config/colour').pipe(
    retryTransient({ jitter: 'none' }),
    map((entry: Entry | undefined) => text(entry) ?? 'grey'),
  );
}

test('shows the colour, and grey while there is none', async () => {
  const store = createStore(memory());
  const shown: string[] = [];
  colour$(store).subscribe(colour => shown.push(colour));
  await store.put('config/colour', 'blue');
  await store.delete('config/colour');
  await vi.waitFor(() => expect(shown).toEqual(['grey', 'blue', 'grey']));
  await store.close();
});

// From here on no test waits for real time: the memory backend, its faults and all of rxkv go through timers and clocks
// that a test runner can fake.
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('after an outage it gets just the net change', async () => {
  const world = createWorld();
  const driver = memory({ world });
  const store = createStore(driver, { silence: 2000 });
  const other = createStore(memory({ world }));
  await other.put('config/colour', 'blue');
  const changes: string[] = [];
  const states: string[] = [];
  store.status$.subscribe(({ state }) => states.push(state));
  store
    .watchTree$('config')
    .pipe(retryTransient(), diff())
    .subscribe(({ type, key }) => changes.push(`${type} ${key}`));
  await vi.advanceTimersByTimeAsync(0);

  world.cut(driver); // this store alone: the other one goes on
  await other.put('config/colour', 'green');
  await other.put('config/colour', 'red');
  await vi.advanceTimersByTimeAsync(10_000); // longer than `silence`: the watch has failed, and is tried again
  expect(states.at(-1)).toBe('stale');
  world.heal(driver);
  await vi.advanceTimersByTimeAsync(30_000); // the longest delay of retryTransient()

  expect(changes).toEqual(['added config/colour', 'modified config/colour']);
  expect(states.at(-1)).toBe('live');
  await Promise.all([store.close(), other.close()]);
});

test('a write into a hanging backend fails in time, and says that nobody knows', async () => {
  const world = createWorld();
  const store = createStore(memory({ world }), { timeout: 1000 });
  await store.ready();

  world.hang();
  const failure = store.put('order/1', 'paid').catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(1100);
  expect(await failure).toMatchObject({ code: 'timeout', outcome: 'unknown', transient: true });

  world.heal();
  expect(await store.get('order/1')).toBeUndefined();
  await store.close();
});

test('work stops when the lock is lost, and starts again when it is back', async () => {
  const world = createWorld();
  const store = createStore(memory({ world }));
  const log: string[] = [];
  const work$ = new Observable<never>(() => {
    log.push('starts');
    return () => log.push('stops');
  });
  const running = store
    .lock$('job')
    .pipe(
      whileHeld(() => work$),
      retryTransient(),
    )
    .subscribe();
  await vi.advanceTimersByTimeAsync(0);
  expect(log).toEqual(['starts']);

  world.expireSessions(); // as an operator would, or a pause longer than the ttl
  await vi.advanceTimersByTimeAsync(1000);
  expect(log).toEqual(['starts', 'stops', 'starts']);

  running.unsubscribe();
  expect(log.at(-1)).toBe('stops');
  await store.close();
});

test('a session is gone after a day, without waiting for it', async () => {
  const store = createStore(memory());
  await store.put('session/42', 'alice', { ttl: 86_400_000 });
  await vi.advanceTimersByTimeAsync(86_399_000);
  expect(await store.exists('session/42')).toBe(true);
  await vi.advanceTimersByTimeAsync(2000);
  expect(await store.exists('session/42')).toBe(false);
  await store.close();
});

test('retries half a second after the first failure, in virtual time', () => {
  new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(({ cold, expectObservable }) => {
    const cut = new KvError('unavailable', 'the connection is cut');
    const store = { watch$: () => cold<undefined>('a 99ms #', { a: undefined }, cut) };
    expectObservable(colour$(store), '700ms !').toBe('a 599ms a', { a: 'grey' });
  });
});

test('two processes see one folder', { timeout: 10_000 }, async () => {
  vi.useRealTimers();
  const folder = await mkdtemp(join(tmpdir(), 'my-app-'));
  // Two drivers of one folder are as two processes to each other.
  const [one, other] = [createStore(lmdb({ path: folder })), createStore(lmdb({ path: folder }))];
  try {
    const seen = firstValueFrom(other.watchTree$('config').pipe(diff()));
    await one.put('config/colour', 'blue');
    expect(await seen).toMatchObject({ type: 'added', key: 'config/colour' });
  } finally {
    await Promise.all([one.close(), other.close()]);
    await rm(folder, { recursive: true });
  }
});
