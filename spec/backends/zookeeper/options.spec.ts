/** Options and URLs of zookeeper(): what is refused at the door, and what a URL means. */
import { describe, expect, test } from 'vitest';
import { zookeeper } from '../../../src/backends/zookeeper/index.js';
import { Keyspace } from '../../../src/backends/zookeeper/keyspace.js';
import { settingsOf, type ZooKeeperOptions } from '../../../src/backends/zookeeper/options.js';
import { open } from '../../../src/open.js';
import { Foreign } from '../../../src/foreign.js';
import { silent } from '../../../src/logger.js';

describe('zookeeper()', () => {
  test.each<[object | undefined, string, RegExp]>([
    [undefined, 'invalid', /needs hosts/],
    [{ hosts: [] }, 'invalid', /needs hosts/],
    [{ hosts: 'http://h' }, 'invalid', /host:port/],
    [{ hosts: 'h', endpoint: 'h' }, 'invalid', /did you mean "hosts"/],
    [{ hosts: 'h', tickTime: 0 }, 'invalid', /tickTime/],
    [{ hosts: 'h', tickTime: 1.5 }, 'invalid', /tickTime/],
    [{ hosts: 'h', ttlNodes: 'yes' }, 'invalid', /ttlNodes/],
    [{ hosts: 'h', auth: { token: 'secret' } }, 'unsupported', /auth\.token/],
    [{ hosts: 'h', auth: { username: 'a:b', password: 'secret' } }, 'invalid', /username/],
    [{ hosts: 'h', rawRoot: 'app-' }, 'invalid', /ends in "\/"/],
    [{ hosts: 'h', rawRoot: 'a//' }, 'invalid', /path of a node/],
    [{ hosts: 'h', root: 'a', rawRoot: 'b/' }, 'invalid', /not both/],
    [{ hosts: 'h', root: 'x'.repeat(1025) }, 'invalid', /1024/],
    [{ hosts: 'h', acl: [] }, 'invalid', /list of rules/],
    [{ hosts: 'h', acl: [{ world: true, ip: '::1' }] }, 'invalid', /one of/],
    [{ hosts: 'h', acl: [{ creator: true }] }, 'invalid', /needs auth/],
    [{ hosts: 'h', acl: [{ world: true, can: 'x' }] }, 'invalid', /rwcda/],
    [{ hosts: 'h', acl: [{ ip: 'everybody' }] }, 'invalid', /address/],
    [{ hosts: 'h', acl: [{ user: { username: 'u' } }] }, 'invalid', /username, password/],
    [{ hosts: 'h', tls: { cert: 'x' } }, 'invalid', /together/],
  ])('refuses %j as %s', (options, code, message) => {
    let thrown: unknown;
    try {
      zookeeper(options as ZooKeeperOptions);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(String((thrown as Error).message)).not.toContain('secret');
  });

  test('counts on one tick less than a server grants', () => {
    const { capabilities } = zookeeper({ hosts: 'h' });
    expect([capabilities.minTtl, capabilities.maxTtl, capabilities.ttlLag]).toEqual([2000, 38_000, 44_000]);
    expect(zookeeper({ hosts: 'h', tickTime: 500 }).capabilities.maxTtl).toBe(9500);
  });

  test('a root is encoded, a raw root is not', () => {
    const path = (options: Partial<ZooKeeperOptions>): string =>
      new Keyspace(settingsOf({ hosts: 'h', ...options }), new Foreign('zookeeper', silent)).path('k');
    expect(path({})).toBe('/k');
    expect(path({ root: '/a/😀/' })).toBe('/a/%ud83d%ude00/k');
    expect(path({ rawRoot: '/a/%u0041/' })).toBe('/a/%u0041/k');
  });
});

describe('the URL', () => {
  test.each([
    ['zookeeper://h1:2181,h2/my-app?tickTime=3000', 57_000, 'session'],
    ['zookeepers://user:password@h/my-app?ttlNodes=true', 38_000, 'server'],
    ['zookeeper://[::1]:2181', 38_000, 'session'],
  ])('%s is a store', async (url, maxTtl, bound) => {
    const store = await open(url);
    expect([store.backend, store.capabilities.maxTtl, store.capabilities.ttlBoundTo]).toEqual(['zookeeper', maxTtl, bound]);
    await store.close();
  });

  test.each([
    ['zookeeper:', /needs hosts/],
    ['zookeeper://h?tickTimes=5', /did you mean "tickTime"/],
    ['zookeeper://h?tickTime=much', /whole number/],
    ['zookeeper://h?ttlNodes=maybe', /true or false/],
    ['zookeeper://h?root=a', /before the \?/],
    ['zookeeper://user:secret@h?acl=x', /before the \?/],
  ])('%s is refused', async (url, message) => {
    const refused = open(url);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.not.toThrow('secret');
  });
});
