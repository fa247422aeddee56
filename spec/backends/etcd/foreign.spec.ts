/** Keys of others: what a store shows of records that other clients wrote, and what they find of ours. */
import { expect, test } from 'vitest';
import { diff, type Snapshot, text, type TreeChange } from '../../../src/index.js';
import { startEtcd } from '../../servers/etcd.js';
import { must } from '../../servers/run.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { Scene } from './scene.js';

const bytes = (key: string): Buffer => Buffer.from(key);

describeProgram('etcd', 'keys of others in etcd', found => {
  test('pitfall 19: keys that only look like ours, keys that are none, and a store without a root', async () => {
    await using scene = new Scene(await startEtcd(found));
    const [app, whole] = [scene.store({ root: 'app' }), scene.store()];
    let seen: Snapshot | undefined;
    let failure: unknown;
    app.watchTree$('a').subscribe({ next: tree => (seen = tree), error: (error: unknown) => (failure = error) });
    await until('the empty tree', () => seen?.size === 0);
    const broken = Buffer.concat([bytes('app/a/'), Buffer.from([0xff, 0xfe])]);
    for (const key of [bytes('app/a'), bytes('app/ab'), bytes('app/a/__proto__'), broken, bytes('app/a//x'), bytes('app/a/last')])
      await scene.operator.put(key, 'theirs');
    await until('the last of them', () => failure ?? seen?.has('a/last'));
    expect([failure, [...(seen?.keys() ?? [])]]).toEqual([undefined, ['a/__proto__', 'a/last']]);
    const { __proto__: own } = (seen as Snapshot).toObject();
    expect(own).toBe('theirs');
    expect([...(await app.list('a')).keys()]).toEqual(['a/__proto__', 'a/last']);
    expect([...(await whole.list('')).keys()]).toEqual(['app/a', 'app/a/__proto__', 'app/a/last', 'app/ab']);
    // Each once, though they were met in the watch and in the list.
    expect((await app.health()).warnings).toEqual(['2 records below the root are no valid key and left out']);
    await app.deleteTree('a');
    expect([...(await whole.list('')).keys()]).toEqual(['app/a', 'app/ab']);
  }, 20_000);

  test('rawRoot is a prefix byte for byte, and etcdctl reads what we wrote as it is', async () => {
    await using scene = new Scene(await startEtcd(found));
    const store = scene.store({ rawRoot: '/registry/' });
    const changes: TreeChange[] = [];
    store
      .watchTree$('')
      .pipe(diff())
      .subscribe(change => changes.push(change));
    const etcdctl = async (...args: string[]): Promise<string> => {
      const env = { ...process.env, ...found.env, ETCDCTL_API: '3' };
      return (await must(found.tools.etcdctl ?? 'etcdctl', ['--endpoints', scene.server.host, ...args], { env })).stdout;
    };
    await store.put('ours', 'a value');
    expect(await etcdctl('get', '/registry/ours')).toBe('/registry/ours\na value\n');
    await etcdctl('put', '/registry/theirs', 'another');
    expect(text(await store.get('theirs'))).toBe('another');
    await until('both', () => changes.length === 2);
    expect(changes.map(({ type, key }) => `${type} ${key}`)).toEqual(['added ours', 'added theirs']);
  }, 20_000);
});
