/** What etcd() takes and refuses, before any I/O. */
import { describe, expect, test } from 'vitest';
import { etcd } from '../../../src/backends/etcd/index.js';
import { type EtcdOptions, settingsOf } from '../../../src/backends/etcd/options.js';
import { createStore, open } from './front-door.js';

describe('options', () => {
  test('hosts alone are enough', () => {
    expect(settingsOf({ hosts: 'a' })).toEqual({ hosts: ['a:2379'], root: '', tls: undefined, auth: undefined, members: false });
  });

  test('root is a directory, rawRoot a prefix byte for byte', () => {
    expect(settingsOf({ hosts: 'a', root: '/my-app/' }).root).toBe('my-app/');
    expect(settingsOf({ hosts: 'a', rawRoot: '/my-app' }).root).toBe('/my-app');
    expect(settingsOf({ hosts: 'a', root: '/' }).root).toBe('');
  });

  test.each([
    [undefined, "etcd() needs hosts: etcd({ hosts: 'localhost:2379' })"],
    [{}, "etcd() needs hosts: etcd({ hosts: 'localhost:2379' })"],
    [{ endpoints: 'a' }, 'unknown option "endpoints" of etcd(): did you mean "hosts"?'],
    [{ hosts: 'a', password: 'secret' }, 'unknown option "password" of etcd(): did you mean "auth"?'],
    [{ hosts: 'a', members: 'yes' }, 'members of etcd() is true or false'],
    [{ hosts: 'a', root: 'a', rawRoot: 'b' }, 'etcd() takes root or rawRoot, not both'],
    [{ hosts: 'a', rawRoot: 'x'.repeat(1025) }, 'the root of etcd() has 1025 bytes of UTF-8, over the maximum of 1024'],
    [{ hosts: 'a', rawRoot: 'a/~rxkv/b' }, 'rawRoot of etcd() has the reserved segment "~rxkv"'],
    [{ hosts: 'me:secret@a' }, 'a host of etcd() is "host:port", such as "localhost:2379"'],
  ])('%j is invalid: %s', (options, message) => {
    const make = (): unknown => etcd(options as unknown as EtcdOptions);
    expect(make).toThrow(expect.objectContaining({ code: 'invalid', message }));
  });

  test.each([
    [{ tls: { rejectUnauthorized: false } }, /^tls.rejectUnauthorized: false of etcd\(\): .* tls.ca$/],
    [{ auth: { token: 'secret' } }, /^auth.token of etcd\(\): .* auth: \{ username, password \}$/],
  ])('%j is unsupported, by name, with what to do instead', (options, message) => {
    expect(() => etcd({ hosts: 'a', ...options })).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringMatching(message) }),
    );
  });

  test('a key that its passphrase does not open is invalid with the first call, and the message has neither', async () => {
    const store = createStore(etcd({ hosts: 'localhost:1', tls: { cert: 'c', key: 'secret', passphrase: 'secret' } }), { timeout: 1000 });
    const error: unknown = await store.get('k').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'invalid', message: 'tls.passphrase of etcd() does not open tls.key' });
    await store.close();
  });
});

describe('a URL', () => {
  test.each([
    ['etcd://a', { hosts: ['a:2379'], root: '' }],
    ['etcd://a:1,b:2/my-app', { hosts: ['a:1', 'b:2'], root: 'my-app/' }],
    ['etcd://a/', { root: '' }],
    ['etcd://a?rawRoot=%2Fmy', { root: '/my' }],
    ['etcds://a', { tls: {} }],
    ['etcd://me:s%40crat@a', { auth: { username: 'me', password: 's@crat' } }],
    ['etcd://me@a', { auth: { username: 'me', password: '' } }],
    ['etcd://a?members=true', { members: true }],
  ])('%s is %j', (url, settings) => {
    expect(open(url)).toMatchObject(settings);
  });

  test.each([
    ['etcd:///my-app', "etcd() needs hosts: etcd({ hosts: 'localhost:2379' })"],
    ['etcd://a?members=1', 'members in a store URL is true or false'],
    ['etcd://a?hosts=b', 'option "hosts" has its place before the ? of an etcd: URL'],
    ['etcd://me:secret@a?endpoint=b', 'unknown option "endpoint" of etcd(): did you mean "hosts"?'],
  ])('%s is invalid: %s', (url, message) => {
    expect(() => open(url)).toThrow(expect.objectContaining({ code: 'invalid', message }));
  });
});
