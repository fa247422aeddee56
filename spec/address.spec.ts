import { describe, expect, test } from 'vitest';
import { parseAddress, withoutUserinfo } from '../src/address.js';
import { KvError } from '../src/errors.js';

describe('an address', () => {
  test.each([
    ['lmdb:./data', { scheme: 'lmdb', hosts: [], path: './data' }],
    ['lmdb:/var/lib/my%20app', { scheme: 'lmdb', hosts: [], path: '/var/lib/my app' }],
    ['lmdb:///var/lib/app', { scheme: 'lmdb', hosts: [], path: '/var/lib/app' }],
    ['LMDB:data', { scheme: 'lmdb', hosts: [], path: 'data' }],
    ['memory:', { scheme: 'memory', hosts: [], path: '' }],
    ['etcd://h1:2379,h2:2379/root', { scheme: 'etcd', hosts: ['h1:2379', 'h2:2379'], path: '/root' }],
    ['etcd://[::1]:2379', { scheme: 'etcd', hosts: ['[::1]:2379'], path: '' }],
    ['redis+sentinel://us%40er:p%3Ass@h/1', { scheme: 'redis+sentinel', hosts: ['h'], path: '/1', username: 'us@er', password: 'p:ss' }],
    ['redis://user@h', { scheme: 'redis', hosts: ['h'], path: '', username: 'user' }],
  ])('%s', (url, address) => {
    expect(parseAddress(url)).toMatchObject(address);
  });

  test('has options in its query', () => {
    const { query } = parseAddress('lmdb:./data?root=my%2Fapp&history=10&flag');
    expect([...query]).toEqual([
      ['root', 'my/app'],
      ['history', '10'],
      ['flag', ''],
    ]);
  });

  test.each(['', 'data', './data', '://h', 'lmdb:a%zz', 'lmdb:./data?a=1&a=2', undefined as never])('%j is refused', url => {
    expect(() => parseAddress(url)).toThrow(expect.objectContaining({ code: 'invalid' }) as Error);
  });

  test('with a password that is not escaped is refused, as what it is', () => {
    for (const url of ['redis://u:pa/ss@h:1', 'etcd://u:pa?ss@h1,h2', 'zookeeper://:pa?ss=1@h', 'etcd://h:1,u:p/x@y'])
      expect(() => parseAddress(url)).toThrow(/^a password in a store URL is percent-encoded/);
    for (const url of ['etcd://h:1,h:2/a@b', 'etcd://[::1]:5/a@b', 'etcd://h/a@b?c=d@e', 'lmdb:./a@b:c', 'redis://u:a:b@h:1'])
      expect(() => parseAddress(url)).not.toThrow();
  });

  test('is shown without its userinfo', () => {
    expect(withoutUserinfo('redis://user:secret@h1,h2/0')).toBe('redis://h1,h2/0');
    // Where the password is not escaped, or the scheme is forgotten, and where others have the password in the query.
    for (const url of [
      'redis://u:se/secret@h1',
      'redis://u:se?secret@h1',
      'redis://u:@secret@h1',
      'redis:u:secret@h1',
      'redis://h1?x=secret',
    ])
      expect(withoutUserinfo(url)).toMatch(/^redis:(\/\/)?h1$/);
    expect(withoutUserinfo('u@secret@h1')).toBe('h1');
    let message = '';
    try {
      parseAddress('redis://user:secret@h1/%zz');
    } catch (error) {
      message = KvError.is(error) ? error.message : '';
    }
    expect(message).toContain('redis://h1');
    expect(message).not.toContain('secret');
  });
});
