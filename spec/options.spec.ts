import { describe, expect, test } from 'vitest';
import { KvError } from '../src/errors.js';
import { checkOptions, nearest } from '../src/options.js';

function message(given: unknown, known: readonly string[]): string {
  try {
    checkOptions(given, known, 'etcd()');
  } catch (error) {
    if (KvError.is(error) && error.code === 'invalid') return error.message;
    throw error;
  }
  return 'accepted';
}

describe('checkOptions', () => {
  test('known options pass, and those that are undefined count as left out', () => {
    expect(message({ hosts: 'h:1', root: undefined }, ['hosts', 'root'])).toBe('accepted');
    expect(message({ nonsense: undefined }, ['hosts'])).toBe('accepted');
    expect([message(undefined, ['hosts']), message({}, [])]).toEqual(['accepted', 'accepted']);
  });

  test('an unknown one is named together with the one that was probably meant', () => {
    expect(message({ endpoint: 'h:1' }, ['hosts', 'root'])).toBe('unknown option "endpoint" of etcd(): did you mean "hosts"?');
    expect(message({ host: 'h:1' }, ['hosts', 'root'])).toBe('unknown option "host" of etcd(): did you mean "hosts"?');
    expect(message({ TTL: 1 }, ['lock', 'ttl'])).toBe('unknown option "TTL" of etcd(): did you mean "ttl"?');
  });

  test('where none is near, all are named', () => {
    expect(message({ zzzzzz: 1 }, ['hosts', 'root'])).toBe('unknown option "zzzzzz" of etcd(): known are "hosts", "root"');
    expect(message({ zzzzzz: 1 }, [])).toBe('unknown option "zzzzzz" of etcd(): it has none');
  });

  test('what inherits a name is no option of that name, and a null prototype is fine', () => {
    expect(message(Object.assign(Object.create(null), { hosts: 1 }), ['hosts'])).toBe('accepted');
    expect(message({ constructor: 1 }, ['hosts'])).toMatch(/^unknown option "constructor"/);
  });

  test('options are an object, and no value is ever shown', () => {
    expect(message(null, ['hosts'])).toBe('the options of etcd() are an object, not null');
    expect(message([], ['hosts'])).toBe('the options of etcd() are an object, not an array');
    expect(message('secret', ['hosts'])).toBe('the options of etcd() are an object, not a string');
  });
});

test('the nearest of several is the one with the fewest letters to change', () => {
  expect(nearest('pasword', ['username', 'password', 'passphrase'])).toBe('password');
  expect(nearest('lmbd', ['lmdb', 'memory'])).toBe('lmdb');
  expect(nearest('x', [])).toBeUndefined();
});
