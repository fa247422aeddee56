/** What redis() takes and refuses, before any I/O; and where names are in a cluster. */
import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../src/address.js';
import { capabilitiesOf } from '../../../src/backends/redis/capabilities.js';
import { redis } from '../../../src/backends/redis/index.js';
import { Keyspace } from '../../../src/backends/redis/keyspace.js';
import { type RedisOptions, settingsOf } from '../../../src/backends/redis/options.js';
import { slotOf } from '../../../src/backends/redis/slot.js';
import { optionsIn } from '../../../src/backends/redis/url.js';
import { Foreign } from '../../../src/foreign.js';
import { silent } from '../../../src/logger.js';

describe('options', () => {
  test('hosts alone are enough', () => {
    expect(settingsOf({ hosts: 'a' })).toEqual({
      ...{ hosts: ['a:6379'], root: '', sentinel: undefined, cluster: false, database: 0, tls: undefined, auth: undefined },
      ...{ natMap: new Map(), index: false, waitReplicas: 0, resync: 300_000 },
    });
    expect(settingsOf({ hosts: ['a', 'b:1'], sentinel: 'm' })).toMatchObject({ hosts: ['a:26379', 'b:1'], sentinel: { name: 'm' } });
    expect(settingsOf({ hosts: 'a', resync: 0 }).resync).toBe(Infinity);
  });

  test.each([
    [undefined, "redis() needs hosts: redis({ hosts: 'localhost:6379' })"],
    [{ url: 'a' }, 'unknown option "url" of redis(): did you mean "hosts"?'],
    [{ hosts: 'a', db: 1 }, /unknown option "db" of redis\(\)/],
    [{ hosts: ['a', 'b'] }, "redis() takes one host, or sentinel: 'name' for sentinels, or cluster: true for nodes of a cluster"],
    [{ hosts: 'a', cluster: true, sentinel: 'm' }, 'redis() takes sentinel or cluster, not both'],
    [{ hosts: 'a', cluster: 'yes' }, 'cluster of redis() is true or false'],
    [{ hosts: 'a', database: -1 }, 'database of redis() is a whole number'],
    [{ hosts: 'a', waitReplicas: 1.5 }, 'waitReplicas of redis() is a whole number'],
    [{ hosts: 'a', sentinel: '' }, "sentinel of redis() is the master's name, or { name, auth }"],
    [{ hosts: 'a', sentinel: { name: 'm', password: 'secret' } }, /^unknown option "password" of sentinel of redis\(\)/],
    [{ hosts: 'a', cluster: true, natMap: ['a:1'] }, 'natMap of redis() is an object of addresses'],
    [{ hosts: 'a', natMap: {} }, 'natMap of redis() is for sentinel and cluster, who tell addresses'],
    [{ hosts: 'a', cluster: true, rawRoot: 'a{' }, 'the root of redis() has braces that are no hash tag, such as "{my-app}"'],
  ])('%j is invalid: %s', (options, message) => {
    const wanted: unknown = typeof message === 'string' ? message : expect.stringMatching(message);
    expect(() => redis(options as unknown as RedisOptions)).toThrow(expect.objectContaining({ code: 'invalid', message: wanted }));
  });

  test.each([
    [{ database: 2 }, /a cluster has database 0 only$/],
    [{ index: true }, /^index of redis\(\) with cluster: .*root: '\{my-app\}'$/],
  ])('of a cluster %j is unsupported', (options, message) => {
    expect(() => redis({ hosts: 'a', cluster: true, ...options })).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringMatching(message) as string }),
    );
  });

  test('a cluster is atomic over keys only where its root has a hash tag', () => {
    expect(capabilitiesOf({ cluster: true, root: 'a/' })).toMatchObject({ atomic: 'key', consistentList: false });
    expect(capabilitiesOf({ cluster: true, root: '{a}/' })).toMatchObject({ atomic: 'range', consistentList: false });
    expect(capabilitiesOf({ cluster: false, root: 'a/' })).toMatchObject({ atomic: 'range', consistentList: true, locks: 'advisory' });
  });
});

describe('a URL', () => {
  const settings = (url: string): unknown => settingsOf(optionsIn(parseAddress(url)));

  test.each([
    ['redis://a', { hosts: ['a:6379'], root: '', cluster: false, tls: undefined }],
    ['redis://a/my-app?database=2&index=true', { root: 'my-app/', database: 2, index: true }],
    ['redis://me:s%40crat@a', { auth: { username: 'me', password: 's@crat' } }],
    ['redis://:secret@a', { auth: { token: 'secret' } }],
    ['rediss://a?rawRoot=1%2F', { tls: {}, root: '1/' }],
    ['redis+sentinel://a,b:1/x?name=m&waitReplicas=1', { hosts: ['a:26379', 'b:1'], sentinel: { name: 'm' }, waitReplicas: 1 }],
    ['rediss+cluster://a,b/%7Bx%7D?resync=0', { hosts: ['a:6379', 'b:6379'], cluster: true, root: '{x}/', tls: {}, resync: Infinity }],
  ])('%s is %j', (url, wanted) => {
    expect(settings(url)).toMatchObject(wanted);
  });

  test.each([
    ['redis://a/0', 'the path of a redis: URL is the root: a database is ?database=0'],
    ['redis+sentinel://a', 'a redis+sentinel: URL needs the name of the master: ?name=mymaster'],
    ['redis://a?name=m', 'name is an option of redis+sentinel: URLs'],
    ['redis://a?database=two', 'database in a store URL is a whole number'],
    ['redis://a?index=yes', 'index in a store URL is true or false'],
    ['redis://a?cluster=true', 'option "cluster" has its place before the ? of an redis: URL'],
  ])('%s is invalid: %s', (url, message) => {
    expect(() => settings(url)).toThrow(expect.objectContaining({ code: 'invalid', message }));
  });
});

describe('names in a cluster', () => {
  // Of `CLUSTER KEYSLOT`.
  test.each([
    ['foo', 12_182],
    ['{user1000}.following', 3443],
    ['foo{}{bar}', 8363],
    ['foo{{bar}}zap', 4015],
    ['', 0],
  ])('%j is in slot %d', (name, slot) => {
    expect(slotOf(name)).toBe(slot);
  });

  const keyspace = (root: string, cluster: boolean): Keyspace =>
    new Keyspace({ root, cluster, index: false, foreign: new Foreign('redis', silent) });

  test('pitfall 19: each key has its companion in its own slot, whatever its braces, and no two have the same', () => {
    const keys = [
      'a',
      'a/b',
      'a}b',
      '{}x',
      '{x}y',
      'a{b',
      '}{',
      'x{}y{z}',
      '{a}{b}',
      '~rxkv/lock/id-1',
      '~rxkv/lo{c}k/id-1',
      '~rxkv/l}o{/id-2',
      'ü{€',
    ];
    for (const root of ['', 'app/', '{app}/']) {
      const names = keyspace(root, true);
      const pairs = keys.map(key => names.pair(key));
      for (const [name, side] of pairs) expect(slotOf(side), `${side} of ${name}`).toBe(slotOf(name));
      expect(new Set(pairs.flat()).size).toBe(keys.length * 2);
      for (const key of keys) expect(names.relative(names.name(key))).toBe(key);
      for (const [, side] of pairs) expect(names.relative(side)).toBeUndefined();
    }
  });

  test('all records of a lock are in one slot with its queue', () => {
    for (const lock of ['job', 'a%2Fb', 'x{y}', '}', '{']) {
      const names = keyspace('app/', true);
      const slots = new Set(['id-1', 'id-2'].flatMap(id => names.pair(`~rxkv/${lock}/${id}`)).map(slotOf));
      expect([...slots]).toEqual([slotOf(names.queue(`~rxkv/${lock}`))]);
    }
  });

  test('on one server names have no braces but those of companions', () => {
    expect(keyspace('app/', false).pair('~rxkv/job/id-1')).toEqual(['app/~rxkv/job/id-1', 'app/~rxkv/rev:{app/~rxkv/job/id-1}']);
    expect(keyspace('app/', false).pattern('a[1]*/')).toBe('app/a\\[1\\]\\*/*');
  });
});
