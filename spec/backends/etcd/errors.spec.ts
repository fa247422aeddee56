/** Errors of etcd: what each is to a caller, and whether the server can have acted. */
import { describe, expect, test } from 'vitest';
import { errorOf, failureOf, hasNoLeader, isCompacted, isTokenRefused, notLoaded, translated } from '../../../src/backends/etcd/errors.js';
import { LoginFailed } from '../../../src/backends/etcd/login.js';
import { KvError } from '../../../src/index.js';
import { isPassing } from '../../../src/failure.js';
import { withoutClient } from '../process.js';

describe('a failure', () => {
  test.each([
    ['14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED', 'unavailable', 'unsent', true],
    ['4 DEADLINE_EXCEEDED: Deadline exceeded', 'timeout', 'unknown', true],
    ['14 UNAVAILABLE: read ECONNRESET', 'unavailable', 'unknown', true],
    ['14 UNAVAILABLE: etcdserver: no leader', 'unavailable', 'unknown', true],
    ['14 UNAVAILABLE: etcdserver: request timed out', 'unavailable', 'unknown', true],
    ['8 RESOURCE_EXHAUSTED: etcdserver: too many requests', 'overloaded', 'refused', true],
    ['8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded', 'unavailable', 'refused', true],
    ['3 INVALID_ARGUMENT: etcdserver: request is too large', 'invalid', 'refused', false],
    ['8 RESOURCE_EXHAUSTED: Received message larger than max (1 vs. 2)', 'invalid', 'refused', false],
    ['3 INVALID_ARGUMENT: etcdserver: too many operations in txn request', 'invalid', 'refused', false],
    ['5 NOT_FOUND: etcdserver: requested lease not found', 'session-lost', 'refused', false],
    ['11 OUT_OF_RANGE: etcdserver: too large lease TTL', 'invalid', 'refused', false],
    ['7 PERMISSION_DENIED: etcdserver: permission denied', 'denied', 'refused', false],
    ['3 INVALID_ARGUMENT: etcdserver: authentication failed, invalid user ID or password', 'denied', 'refused', false],
    ['3 INVALID_ARGUMENT: etcdserver: user name is empty', 'denied', 'refused', false],
    ['16 UNAUTHENTICATED: etcdserver: invalid auth token', 'denied', 'refused', false],
    ['14 UNAVAILABLE: SSL alert number 42', 'denied', 'unsent', false],
    ['14 UNAVAILABLE: unable to verify the first certificate', 'denied', 'unsent', false],
    ['12 UNIMPLEMENTED: unknown method', 'unsupported', 'refused', false],
    ['a defect', 'internal', 'unknown', false],
  ])('%s is %s, %s; made again: %s', (message, code, fate, passing) => {
    const failure = failureOf(new Error(message));
    expect([failure.code, failure.fate, isPassing(failure)]).toEqual([code, fate, passing]);
    expect(errorOf(failure)).toMatchObject({ code, backend: 'etcd', cause: { message } });
  });

  test('of the login leaves the call unsent, and is what it is otherwise', () => {
    const cut = failureOf(new LoginFailed(new Error('14 UNAVAILABLE: read ECONNRESET')));
    expect([cut.code, cut.fate, isPassing(cut)]).toEqual(['unavailable', 'unsent', true]);
    expect(failureOf(new LoginFailed(new Error('invalid user ID or password')))).toMatchObject({ code: 'denied', fate: 'refused' });
  });

  test('that is a KvError stays as it is', () => {
    const error = new KvError('closed', 'the store is closed');
    expect(translated(error)).toBe(error);
  });

  test('of a page that came too late, a token that lapsed, a member without a leader is known as such', () => {
    expect(isCompacted(translated(new Error('11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted')))).toBe(true);
    expect(isCompacted(translated(new Error('11 OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision')))).toBe(true);
    expect(isCompacted(translated(new Error('14 UNAVAILABLE: read ECONNRESET')))).toBe(false);
    expect(
      ['etcdserver: invalid auth token', 'etcdserver: revision of auth store is old', 'x'].map(text => isTokenRefused(new Error(text))),
    ).toEqual([true, true, false]);
    expect(['14 UNAVAILABLE: etcdserver: no leader', 'x'].map(message => hasNoLeader(new Error(message)))).toEqual([true, false]);
  });
});

describe('the package etcd3', () => {
  test('that is missing is unsupported with the first call, and the message says what to install', async () => {
    const text = await withoutClient('etcd', 'etcd3');
    expect(text.trim().split('\n')).toEqual(['made etcd', 'unsupported: rxkv/etcd needs the package etcd3: npm install etcd3']);
  });

  test('that lacks a package of its own is another error', () => {
    const error = Object.assign(new Error("Cannot find module 'protobufjs'"), { code: 'MODULE_NOT_FOUND' });
    expect(notLoaded(error)).toMatchObject({ code: 'unsupported', message: expect.stringContaining('could not be loaded'), cause: error });
  });
});
