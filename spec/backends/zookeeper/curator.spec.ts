/** Curator: its recipes and rxkv's locks, elections and watches on the same nodes, in both directions. */
import { afterEach, expect, inject, test } from 'vitest';
import { zookeeper } from '../../../src/backends/zookeeper/index.js';
import { createStore, diff, type Store, text } from '../../../src/index.js';
import { type Curator, startCurator } from '../../servers/curator.js';
import type { Program } from '../../servers/found.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { startZooKeeper, type ZooKeeper } from '../../servers/zookeeper.js';

describeProgram('curator', 'rxkv and Curator', program => {
  const opened: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]();
  });
  const keep = <T extends AsyncDisposable>(each: T): T => {
    opened.push(each);
    return each;
  };
  async function scene(): Promise<{ server: ZooKeeper; store: Store; curator: Curator }> {
    // The jars are those of this ZooKeeper: where there is a Curator, there is one.
    const server = keep(await startZooKeeper(inject('servers').zookeeper as Program));
    const store = keep(createStore(zookeeper({ hosts: server.host, root: 'app', tickTime: 500 })));
    return { server, store, curator: keep(await startCurator(program, server.host)) };
  }
  const path = '/app/~rxkv/job';

  test('an InterProcessMutex waits for our lock, and gets it when it is released', async () => {
    const { store, curator } = await scene();
    const lock = await store.lock('job');
    expect(await curator.ask(`acquire ${path} 300`)).toBe('not acquired');
    const waiting = curator.ask(`acquire ${path} 10000`);
    await lock.release();
    expect(await waiting).toBe('acquired');
    await expect(store.lock('job', { wait: 0 })).rejects.toMatchObject({ code: 'conflict' });
    expect(await curator.ask(`release ${path}`)).toBe('released');
    await (await store.lock('job', { wait: 0 })).release();
  });

  test('our lock$ waits for an InterProcessMutex, and its fence is higher than before', async () => {
    const { store, curator } = await scene();
    const first = await store.lock('job');
    await first.release();
    expect(await curator.ask(`acquire ${path} 1000`)).toBe('acquired');
    await expect(store.lock('job', { wait: 200 })).rejects.toMatchObject({ code: 'conflict' });
    const waiting = store.lock('job');
    expect(await curator.ask(`release ${path}`)).toBe('released');
    const second = await waiting;
    expect([second.held, second.fence > first.fence]).toEqual([true, true]);
    await second.release();
  });

  test('a Curator that was killed gives its lock to us when the server has missed it', async () => {
    const { store, curator } = await scene();
    expect(await curator.ask(`acquire ${path} 1000`)).toBe('acquired');
    curator.kill();
    const lock = await store.lock('job', { wait: 20_000 });
    expect(lock.held).toBe(true);
    await lock.release();
  });

  test('a LeaderSelector and elect$ take turns, and each sees the other as leader', async () => {
    const { store, curator } = await scene();
    let leader: string | undefined;
    const seen = store.leader$('job').subscribe(now => (leader = now?.id));
    let leading = false;
    const ours = store.elect$('job', { id: 'rxkv' }).subscribe(now => (leading = now.leading));
    await until('us to lead', () => leading);
    expect(await curator.ask(`elect ${path} curator`)).toBe('takes part');
    expect(await curator.ask(`leader ${path}`)).toBe('leader rxkv');
    ours.unsubscribe();
    await curator.said(`leads ${path}`);
    await until('leader$ to say so', () => leader === 'curator');
    const again = store.elect$('job', { id: 'rxkv' }).subscribe(now => (leading = now.leading));
    leading = false;
    await curator.ask(`resign ${path}`);
    await until('us to lead again', () => leading);
    again.unsubscribe();
    seen.unsubscribe();
  });

  test('what one writes the other reads and watches', async () => {
    const { store, curator } = await scene();
    const events: string[] = [];
    const watching = store
      .watchTree$('config')
      .pipe(diff())
      .subscribe(({ type, key, entry }) => events.push(`${type} ${key} ${text(entry)}`));
    expect(await curator.ask('watch /app/config')).toBe('watches');
    await store.put('config/ours', 'one');
    expect(await curator.ask('get /app/config/ours')).toBe('value one');
    expect(await curator.ask('put /app/config/theirs two')).toBe('put');
    expect(text(await store.get('config/theirs'))).toBe('two');
    await until('our event', () => events.includes('added config/theirs two'));
    await curator.said('event NODE_CREATED /app/config/ours one');
    watching.unsubscribe();
  });
});
