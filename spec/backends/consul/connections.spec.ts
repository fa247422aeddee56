/** Connections: an agent takes 200 from one address, and a watch must never cost a put one. */
import { readFile } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { consul } from '../../../src/backends/consul/index.js';
import { createStore, type Store, text } from '../../../src/index.js';
import { startConsul } from '../../servers/consul.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';

/** Connections of this machine that are open to that port, by what either side has of them. */
async function connectionsTo(port: number): Promise<{ readonly ours: number; readonly theirs: number }> {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map(line => line.trim().split(/\s+/));
  // 01: established; 08: closed by the other side, and not yet by this one.
  const open = lines.filter(([, , , state]) => state === '01' || state === '08');
  return {
    ours: open.filter(([, , remote, state]) => remote?.endsWith(hex) === true && state === '01').length,
    theirs: open.filter(([, local]) => local?.endsWith(hex)).length,
  };
}

describeProgram('consul', 'connections to consul', found => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  function open(host: string, root = 'app'): Store {
    const store = createStore(consul({ hosts: host, root }));
    closing.push(() => store.close());
    return store;
  }

  test('1,000 watches of different keys on a default agent: every change arrives, and no put fails meanwhile', async () => {
    await using server = await startConsul(found);
    const [store, writer] = [open(server.host), open(server.host)];
    const seen = new Map<string, string | undefined>();
    const failures: unknown[] = [];
    const keys = Array.from({ length: 1000 }, (_, i) => `many/${i % 10}/${i}`);
    await Promise.all(keys.slice(0, 500).map(async key => writer.put(key, 'first')));
    let going = true;
    let done = 0;
    const putting = (async (): Promise<void> => {
      for (; going; done++) await writer.put('beside', String(done)).catch((error: unknown) => failures.push(error));
    })();
    for (const key of keys)
      store.watch$(key).subscribe({
        next: entry => seen.set(key, entry && text(entry)),
        error: (error: unknown) => failures.push(error),
      });
    await until('the current state of all', () => seen.size === 1000);
    expect(keys.filter(key => seen.get(key) === 'first').length).toBe(500);
    let most = 0;
    for (let round = 0; round < 5; round++) {
      await Promise.all(keys.map(async (key, i) => (i % 5 === round ? writer.delete(key) : writer.put(key, `${round}`))));
      const wrong = (): string[] => keys.filter((key, i) => seen.get(key) !== (i % 5 === round ? undefined : `${round}`));
      await until(`the changes of round ${round}`, () => wrong().length === 0, { within: 15_000 });
      most = Math.max(most, (await connectionsTo(server.port)).theirs);
    }
    going = false;
    await putting;
    expect(failures).toEqual([]);
    expect(done).toBeGreaterThan(20);
    expect(most).toBeLessThanOrEqual(150);
  }, 90_000);

  test('pitfall 7: 300 that come and go in two seconds lock nobody out', async () => {
    await using server = await startConsul(found);
    const [store, other] = [open(server.host), open(server.host)];
    const began = performance.now();
    for (let i = 0; i < 300; i++) {
      const subscription = store.watch$(`brief/${i}`).subscribe();
      if (i % 3 === 0) await store.put('k', String(i));
      subscription.unsubscribe();
    }
    for (let i = 0; i < 50; i++) await other.put('k', String(i));
    expect((await connectionsTo(server.port)).theirs).toBeLessThanOrEqual(150);
    expect(performance.now() - began).toBeLessThan(20_000);
  }, 60_000);

  test('pitfall 26: with a hundred watches a put does not wait behind them', async () => {
    await using server = await startConsul(found);
    const store = open(server.host);
    const middle = async (): Promise<number> => {
      const taken: number[] = [];
      for (let i = 0; i < 40; i++) {
        const began = performance.now();
        await store.put('k', `${i} ${began}`);
        taken.push(performance.now() - began);
      }
      return taken.sort((x, y) => x - y)[20] as number;
    };
    const without = await middle();
    let ready = 0;
    for (let i = 0; i < 100; i++) store.watch$(`w${i}`).subscribe(() => ready++);
    await until('all watches', () => ready >= 100);
    // Behind one of them a put would wait for seconds.
    expect(await middle()).toBeLessThan(50 + without * 3);
  }, 60_000);

  test('unsubscribing 100 watches gives their sockets back, and those of the agent within the wait', async () => {
    await using server = await startConsul(found);
    const store = createStore(consul({ hosts: server.host, connections: 150 }), { silence: 4000, linger: 0 });
    closing.push(() => store.close());
    await store.put('k', 'x');
    const before = await connectionsTo(server.port);
    const subscriptions = Array.from({ length: 100 }, (_, i) => store.watchTree$(`d${i}`).subscribe());
    await until('a socket for each', async () => (await connectionsTo(server.port)).ours >= before.ours + 100);
    for (const subscription of subscriptions) subscription.unsubscribe();
    // Those for calls stay, of which there are thirty at most.
    await until('our sockets to be closed', async () => (await connectionsTo(server.port)).ours <= before.ours + 30, { within: 1000 });
    await until('the agent to have let go of them', async () => (await connectionsTo(server.port)).theirs <= before.theirs + 30, {
      within: 6000,
    });
  }, 60_000);

  test('three stores of one process share what an agent takes', async () => {
    await using server = await startConsul(found);
    const stores = ['a', 'b', 'c'].map(root => open(server.host, root));
    const seen = new Map<string, number>();
    let failure: unknown;
    for (const [at, store] of stores.entries())
      for (let i = 0; i < 90; i++)
        store.watchTree$(`d${i}`).subscribe({
          next: tree => seen.set(`${at}/${i}`, tree.size),
          error: (error: unknown) => (failure = error),
        });
    await until('the current state of all', () => seen.size === 270);
    for (const store of stores) await Promise.all(Array.from({ length: 90 }, (_, i) => store.put(`d${i}/k`, 'x')));
    await until('all changes', () => [...seen.values()].every(size => size === 1));
    expect(failure).toBeUndefined();
    expect((await connectionsTo(server.port)).theirs).toBeLessThanOrEqual(180);
  }, 60_000);
});
