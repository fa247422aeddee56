import { NEVER, Observable, of } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { Capabilities } from '../src/capabilities.js';
import type { Driver, DriverContext, Health, Listing, Outcome, Session } from '../src/driver.js';
import { KvError } from '../src/errors.js';
import { silent } from '../src/logger.js';
import { createNetworkedDriver, type Get, type NetworkedOptions, type Parts, type ReadCall, type Write } from '../src/networked.js';

const capabilities = { atomic: 'all', maxTtl: 60_000 } as unknown as Capabilities;
const listing: Listing = { entries: [], revision: 7n };
const outcome: Outcome = { ok: true, results: [] };
const health: Health = { ok: true, latency: 1, warnings: [] };
const session: Session = { id: 'one', ttl: 1000, remaining: () => 1000 };
const context: DriverContext = { timeout: 1000, silence: 1000, logger: silent, ending: () => undefined };
const never = new Promise<never>(() => {});
const call: ReadCall = { timeout: 1000, consistency: 'strong' };
const short: ReadCall = { timeout: 10, consistency: 'strong' };

/** Parts that answer at once, but for those that are given. */
function partsWith(parts: Partial<Parts>): Parts {
  return {
    native: 'client',
    ready: async () => capabilities,
    get: async () => listing,
    list: async () => listing,
    commit: async () => outcome,
    feed$: () => NEVER,
    session$: () => NEVER,
    acquire$: () => NEVER,
    health: async () => health,
    close: () => undefined,
    ...parts,
  };
}

function driverOf(parts: Partial<Parts> = {}, options: Partial<NetworkedOptions> = {}): Driver {
  return createNetworkedDriver({ name: 'etcd', capabilities, make: () => partsWith(parts), ...options });
}

function startedDriver(parts: Partial<Parts> = {}, options: Partial<NetworkedOptions> = {}): Driver {
  const driver = driverOf(parts, options);
  driver.start(context);
  return driver;
}

async function errorOf(work: Promise<unknown>): Promise<KvError> {
  const reason: unknown = await work.then(
    () => new Error('there was none'),
    (error: unknown) => error,
  );
  if (!KvError.is(reason)) throw reason;
  return reason;
}

/** Every call there is. */
function callsOf(driver: Driver, { timeout, consistency, signal }: ReadCall): Promise<unknown>[] {
  const each = signal === undefined ? { timeout } : { timeout, signal };
  return [
    driver.ready(each),
    driver.list({ key: 'a' }, { ...each, consistency }),
    driver.list({ prefix: '' }, { ...each, consistency }),
    driver.commit({ checks: [], ops: [] }, each),
    driver.health(each),
  ];
}

/** Every stream there is. */
function streamsOf(driver: Driver): Observable<unknown>[] {
  const acquired$ = driver.acquire$?.(session, '~rxkv/lock', new Uint8Array());
  return [driver.feed$({ prefix: '' }), driver.session$(1000), acquired$, driver.holder$?.('~rxkv/lock')].map(each$ => each$ ?? of());
}

function codesOf(streams: readonly Observable<unknown>[]): string[] {
  const codes: string[] = [];
  for (const each$ of streams) each$.subscribe({ error: (error: unknown) => codes.push(KvError.is(error) ? error.code : 'other') });
  return codes;
}

/** Resolves in the order of asking. */
async function codesOfCalls(calls: readonly Promise<unknown>[]): Promise<string[]> {
  return Promise.all(calls.map(async each => (await errorOf(each)).code));
}

describe('what a driver hands on', () => {
  test('nothing is made before the start, and then its parts answer', async () => {
    let made = 0;
    const make = (): Parts => {
      made++;
      return partsWith({});
    };
    const driver = driverOf({}, { make, linger: 5 });
    expect([made, driver.native, driver.name, driver.linger, driver.capabilities]).toEqual([0, undefined, 'etcd', 5, capabilities]);
    driver.start(context);
    expect([made, driver.native]).toEqual([1, 'client']);
    expect(await Promise.all(callsOf(driver, call))).toEqual([capabilities, listing, listing, outcome, health]);
  });

  test('a driver that is started twice belongs to two stores: invalid', () => {
    expect(() => startedDriver().start(context)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });

  test('the parts are asked with the query, the timeout and the consistency', async () => {
    const asked: unknown[] = [];
    const driver = startedDriver({
      async get({ key, values, timeout }, consistency) {
        asked.push([key, values, timeout, consistency]);
        return listing;
      },
      async list(query, { timeout, consistency }) {
        asked.push([query, timeout, consistency]);
        return listing;
      },
      async commit({ checks, ops, timeout }) {
        asked.push([checks, ops, timeout]);
        return outcome;
      },
    });
    await driver.list({ key: 'a' }, { timeout: 5, consistency: 'stale' });
    await driver.list({ key: 'a', values: false }, call);
    await driver.list({ prefix: 'a/', depth: 1 }, { timeout: 5, consistency: 'stale' });
    await driver.commit({ checks: [], ops: [{ delete: 'a' }] }, call);
    expect(asked).toEqual([
      ['a', true, 5, 'stale'],
      ['a', false, 1000, 'strong'],
      [{ prefix: 'a/', depth: 1 }, 5, 'stale'],
      [[], [{ delete: 'a' }], 1000],
    ]);
  });

  test('holder$ and linger are there only where the backend has them', () => {
    const without = driverOf();
    expect(['holder$' in without && without.holder$ !== undefined, 'linger' in without && without.linger !== undefined]).toEqual([
      false,
      false,
    ]);
    const told: unknown[] = [];
    const holder$ = (directory: string): Observable<undefined> => {
      told.push(directory);
      return of(undefined);
    };
    const driver = startedDriver({ holder$ }, { tellsHolder: true });
    driver.holder$?.('~rxkv/lock').subscribe(holder => told.push(holder));
    expect(told).toEqual(['~rxkv/lock', undefined]);
  });
});

describe('what a driver refuses', () => {
  test('before the start every call and stream is an error of the caller', async () => {
    const driver = driverOf({}, { tellsHolder: true });
    expect(await codesOfCalls(callsOf(driver, call))).toEqual(Array.from({ length: 5 }, () => 'internal'));
    expect(codesOf(streamsOf(driver))).toEqual(Array.from({ length: 4 }, () => 'internal'));
  });

  test('after close() every call and stream is closed, those that are open end, and the parts are closed once', async () => {
    let closed = 0;
    const close = (): void => {
      closed++;
    };
    const driver = startedDriver({ close, holder$: () => NEVER }, { tellsHolder: true });
    const codes = codesOf(streamsOf(driver));
    expect(codes).toEqual([]);
    await Promise.all([driver.close(), driver.close()]);
    expect([codes, closed]).toEqual([['closed', 'closed', 'closed', 'closed'], 1]);
    expect(await codesOfCalls(callsOf(driver, call))).toEqual(Array.from({ length: 5 }, () => 'closed'));
    expect(codesOf(streamsOf(driver))).toEqual(Array.from({ length: 4 }, () => 'closed'));
  });

  test('close() waits for the parts', async () => {
    const steps: string[] = [];
    const close = async (): Promise<void> => {
      await Promise.resolve();
      steps.push('parts');
    };
    await startedDriver({ close }).close();
    expect(steps).toEqual(['parts']);
  });

  test('what the parts throw is a rejection like others', async () => {
    const refuse = (): never => {
      throw new KvError('invalid', 'no');
    };
    const driver = startedDriver({ ready: refuse, get: refuse, list: refuse, commit: refuse, health: refuse });
    expect(await codesOfCalls(callsOf(driver, call))).toEqual(Array.from({ length: 5 }, () => 'invalid'));
  });

  test('a call whose signal is aborted already does not come to the parts', async () => {
    const refuse = (): never => {
      throw new Error('it was asked');
    };
    const driver = startedDriver({ ready: refuse, get: refuse, list: refuse, commit: refuse, health: refuse });
    const signal = AbortSignal.abort();
    expect(await codesOfCalls(callsOf(driver, { ...call, signal }))).toEqual(Array.from({ length: 5 }, () => 'aborted'));
  });
});

describe('what a driver keeps in time', () => {
  test('a get and a write that are late are given up and marked; what became of the write is unknown', async () => {
    const asked: (Get | Write)[] = [];
    const late = async (request: Get | Write): Promise<never> => {
      asked.push(request);
      return never;
    };
    const driver = startedDriver({ get: late, commit: late });
    const get = await errorOf(driver.list({ key: 'a' }, short));
    const write = await errorOf(driver.commit({ checks: [], ops: [] }, short));
    expect([get.code, get.outcome, write.code, write.outcome]).toEqual(['timeout', undefined, 'timeout', 'unknown']);
    expect(asked.map(({ abandoned }) => abandoned)).toEqual([true, true]);
    expect(await codesOfCalls([startedDriver({ ready: async () => never }).ready(short)])).toEqual(['timeout']);
  });

  test('a request that is in time by itself has no other clock, and its caller is told what it says', async () => {
    const asked: (Get | Write)[] = [];
    let answer = (): void => undefined;
    const slow = new Promise<void>(resolve => (answer = resolve));
    const driver = startedDriver({
      async get(get) {
        get.selfTimed = true;
        asked.push(get);
        await slow;
        return listing;
      },
      async commit(write) {
        write.selfTimed = true;
        asked.push(write);
        await slow;
        return outcome;
      },
      async list() {
        await slow;
        return listing;
      },
      async health() {
        await slow;
        return health;
      },
      ready: async () => never,
    });
    const [ready, ...calls] = callsOf(driver, short);
    // A clock of theirs would have ended by now: it was set before this one, or with it.
    await expect(ready).rejects.toMatchObject({ code: 'timeout' });
    expect(await codesOfCalls([driver.ready(short)])).toEqual(['timeout']);
    answer();
    expect(await Promise.all(calls)).toEqual([listing, listing, outcome, health]);
    expect(asked.map(({ abandoned }) => abandoned)).toEqual([false, false]);
  });

  test('the signal ends all of them all the same', async () => {
    const asked: (Get | Write)[] = [];
    const lasting = async (request: Get | Write): Promise<never> => {
      request.selfTimed = true;
      asked.push(request);
      return never;
    };
    const driver = startedDriver({
      get: lasting,
      commit: lasting,
      list: async () => never,
      health: async () => never,
      ready: async () => never,
    });
    const aborter = new AbortController();
    const calls = callsOf(driver, { ...call, signal: aborter.signal });
    aborter.abort();
    expect(await codesOfCalls(calls)).toEqual(Array.from({ length: 5 }, () => 'aborted'));
    expect(asked.map(({ abandoned }) => abandoned)).toEqual([true, true]);
  });

  test('the parts are told of a get and a write that were not answered in time, and of no other error', async () => {
    let told = 0;
    const overdue = (): void => {
      told++;
    };
    const late = startedDriver({ get: async () => never, commit: async () => never, overdue });
    await Promise.all([errorOf(late.list({ key: 'a' }, short)), errorOf(late.commit({ checks: [], ops: [] }, short))]);
    expect(told).toBe(2);
    const denied = async (): Promise<never> => {
      throw new KvError('denied', 'no');
    };
    const refused = startedDriver({ get: denied, commit: denied, overdue });
    expect(await codesOfCalls([refused.list({ key: 'a' }, call), refused.commit({ checks: [], ops: [] }, call)])).toEqual([
      'denied',
      'denied',
    ]);
    expect(told).toBe(2);
  });
});
