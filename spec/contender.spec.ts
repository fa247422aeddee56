import { firstValueFrom, type Observable, retry, throwError } from 'rxjs';
import { expect, test } from 'vitest';
import { Contenders, recordGone, untilSessionEnds } from '../src/contender.js';
import type { Driver, Outcome, Session } from '../src/driver.js';
import { KvError } from '../src/errors.js';

const session: Session = { id: 's', ttl: 1000, remaining: () => 1000 };
const value = new Uint8Array([1]);
type Transaction = Parameters<Driver['commit']>[0];

function over(answer: (transaction: Transaction) => Promise<Outcome>): { contenders: Contenders; asked: Transaction[] } {
  const asked: Transaction[] = [];
  const commit: Driver['commit'] = async transaction => {
    asked.push(transaction);
    return answer(transaction);
  };
  return { contenders: new Contenders({ commit, timeout: 1000 }), asked };
}

test('no two contenders have one key, those of one session and lock neither', () => {
  const { contenders } = over(async () => ({ ok: true, results: [] }));
  const keys = [contenders.key('~rxkv/a', session), contenders.key('~rxkv/a', session), contenders.key('~rxkv/b', session)];
  expect(new Set(keys).size).toBe(3);
  expect(keys.every(key => /^~rxkv\/[ab]\/s-\d$/.test(key))).toBe(true);
});

test('who enters writes a record bound to its session where there must be none', async () => {
  const entry = { key: 'k', value, revision: 7n, created: 7n, leased: true };
  const { contenders, asked } = over(async () => ({ ok: true, results: [{ entry }] }));
  expect(await contenders.enter('k', value, session)).toBe(entry);
  expect(asked).toEqual([{ checks: [{ key: 'k', entry: undefined }], ops: [{ put: 'k', value, session }] }]);
});

test('who withdraws deletes its record also where it is not known whether it was written, and never fails', async () => {
  const { contenders, asked } = over(async () => Promise.reject(new KvError('timeout', 'no answer', { outcome: 'unknown' })));
  const entered = contenders.enter('k', value, session);
  await contenders.withdraw(entered, 'k');
  expect(asked.at(-1)).toEqual({ checks: [], ops: [{ delete: 'k' }] });
  await expect(entered).rejects.toMatchObject({ outcome: 'unknown' });
});

test('a record that is gone is a lock lost to its holder, a session lost to who waits', () => {
  expect([recordGone(true).code, recordGone(false).code]).toEqual(['lock-lost', 'session-lost']);
});

test('what is transient is tried again, anything else is the end', async () => {
  let tries = 0;
  const source$ = (errors: readonly KvError[]): Observable<never> =>
    throwError(() => errors[tries++]).pipe(retry({ delay: untilSessionEnds }));
  const [cut, denied] = [new KvError('unavailable', 'cut'), new KvError('denied', 'no')];
  await expect(firstValueFrom(source$([cut, cut, denied]))).rejects.toBe(denied);
  expect(tries).toBe(3);
});
