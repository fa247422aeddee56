import { expect, test } from 'vitest';
import { hostsOf } from '../src/hosts.js';

test.each([
  ['localhost', ['localhost:2379']],
  ['localhost:1', ['localhost:1']],
  ['10.0.0.1:65535', ['10.0.0.1:65535']],
  ['[::1]', ['[::1]:2379']],
  ['[fe80::1%eth0]:80', ['[fe80::1%eth0]:80']],
  [
    ['a', 'b:1', 'a:2379'],
    ['a:2379', 'b:1'],
  ],
])('%j is %j', (given, hosts) => {
  expect(hostsOf(given, 2379, 'etcd()')).toEqual(hosts);
});

test.each([undefined, [], null, 1, {}] as unknown as (string | undefined)[])('%j is none, and the message shows what is wanted', given => {
  expect(() => hostsOf(given, 2379, 'etcd()')).toThrow("etcd() needs hosts: etcd({ hosts: 'localhost:2379' })");
});

test.each(['', 'a:0', 'a:65536', 'a:b', 'http://a', 'a/b', 'me:secret@a:1', '::1', 'a:1,b:2', 1 as unknown as string])(
  '%j is no host, and is not repeated',
  host => {
    expect(() => hostsOf([host], 2379, 'etcd()')).toThrow(/^a host of etcd\(\) is "host:port", such as "localhost:2379"$/);
  },
);
