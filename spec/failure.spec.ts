import { describe, expect, test } from 'vitest';
import { isPassing, leavesTime, notLoaded, type Verdict, verdictOn } from '../src/failure.js';

const verdicts: readonly Verdict[] = [
  [/no leader/, 'unavailable', 'refused', 'the cluster has no leader'],
  [/leader/, 'internal', 'unknown', 'something with a leader'],
];

describe('a failure', () => {
  test('is what the first verdict says whose words are in it', () => {
    const cause = new Error('etcd: no leader here');
    expect(verdictOn(cause.message, verdicts, cause)).toEqual({
      code: 'unavailable',
      fate: 'refused',
      message: 'the cluster has no leader',
      cause,
    });
    expect(verdictOn('all is well', verdicts, cause)).toBeUndefined();
  });

  test('is passing where something in between failed', () => {
    expect((['unavailable', 'timeout', 'overloaded'] as const).every(code => isPassing({ code }))).toBe(true);
    expect((['denied', 'invalid', 'conflict', 'closed', 'internal'] as const).some(code => isPassing({ code }))).toBe(false);
  });
});

test('another try is one that can still be answered, so that a deadline hides no reason', () => {
  expect(leavesTime(1000, 100)).toBe(true);
  expect(leavesTime(150, 100)).toBe(true);
  expect(leavesTime(149, 100)).toBe(false);
  expect(leavesTime(-1, 0)).toBe(false);
});

describe('a package that could not be loaded', () => {
  const missing = (code: string): Error => Object.assign(new Error("Cannot find package 'etcd3' imported from here"), { code });

  test.each(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])('says what to install where it is missing (%s)', code => {
    const error = missing(code);
    expect(notLoaded(error, 'etcd', 'etcd3')).toMatchObject({
      code: 'unsupported',
      backend: 'etcd',
      message: 'rxkv/etcd needs the package etcd3: npm install etcd3',
      cause: error,
    });
    expect(notLoaded(error, 'etcd', 'etcd3', 'etcd3@1.1.2').message).toMatch(/npm install etcd3@1\.1\.2$/);
  });

  test('says so where it is there and does not load, or lacks something itself', () => {
    const broken = 'the package etcd3 could not be loaded on this machine (see cause)';
    expect(notLoaded(new Error('wrong ELF class'), 'etcd', 'etcd3').message).toBe(broken);
    const other = Object.assign(new Error("Cannot find package 'grpc'"), { code: 'ERR_MODULE_NOT_FOUND' });
    expect(notLoaded(other, 'etcd', 'etcd3').message).toBe(broken);
  });
});
