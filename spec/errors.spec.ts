import { describe, expect, test } from 'vitest';
import { asKvError, KvError, type KvErrorCode } from '../src/errors.js';

describe('an error', () => {
  test.each<[KvErrorCode, boolean]>([
    ['unavailable', true],
    ['timeout', true],
    ['overloaded', true],
    ['session-lost', true],
    ['lock-lost', true],
    ['conflict', false],
    ['denied', false],
    ['invalid', false],
    ['unsupported', false],
    ['undecodable', false],
    ['aborted', false],
    ['closed', false],
    ['internal', false],
  ])('%s is transient: %s', (code, transient) => {
    const error = new KvError(code, 'why');
    expect(error).toMatchObject({ name: 'KvError', code, transient, message: 'why' });
    expect(error).toBeInstanceOf(Error);
  });

  test('has only the details that it was given', () => {
    expect(Object.keys(new KvError('closed', 'why')).sort()).toEqual(['code', 'name', 'transient']);
    const cause = new Error('below');
    const conflicts = [{ key: 'a', current: undefined }];
    const error = new KvError('conflict', 'why', { backend: 'memory', key: 'a', outcome: 'unknown', conflicts, cause });
    expect(error).toMatchObject({ backend: 'memory', key: 'a', outcome: 'unknown', conflicts, cause });
  });

  test('can be logged as JSON, which has no values', () => {
    const current = { key: 'a', value: new TextEncoder().encode('hunter2'), revision: 1n, created: 1n, leased: false };
    const error = new KvError('conflict', 'why', { backend: 'memory', key: 'a', conflicts: [{ key: 'a', current }], cause: current });
    expect(JSON.parse(JSON.stringify({ error }))).toEqual({
      error: { name: 'KvError', message: 'why', code: 'conflict', transient: false, backend: 'memory', key: 'a', conflicts: ['a'] },
    });
  });

  test('is recognised by its brand, also that of another copy of the package', () => {
    const foreign = Object.assign(new Error('other copy'), { [Symbol.for('rxkv.KvError')]: true });
    expect(KvError.is(new KvError('closed', 'why'))).toBe(true);
    expect(KvError.is(foreign)).toBe(true);
    for (const other of [undefined, null, 'closed', new Error('x'), { code: 'closed' }]) expect(KvError.is(other)).toBe(false);
  });

  test('of a foreign kind is wrapped once, as internal', () => {
    const known = new KvError('closed', 'why');
    expect(asKvError(known)).toBe(known);
    const cause = new TypeError('secret value 42');
    const wrapped = asKvError(cause, { backend: 'memory' });
    expect(wrapped).toMatchObject({ code: 'internal', backend: 'memory', cause });
    expect(wrapped.message).not.toContain('42');
    expect(asKvError('text').message).toContain('string');
  });
});
