/** A login: how often a token is fetched, and what becomes of a login that fails. */
import { expect, test } from 'vitest';
import { type AuthService, Login, LoginFailed, type Metadata } from '../../../src/backends/etcd/login.js';

/** Answers each login when told to. */
class Door implements AuthService {
  readonly asked: { name: string; password: string; deadline: number; told: (error: Error | null, answer?: { token: string }) => void }[] =
    [];

  authenticate(...[user, { deadline }, told]: Parameters<AuthService['authenticate']>): void {
    this.asked.push({ ...user, deadline, told });
  }
}

function opened(): { readonly door: Door; readonly login: Login; readonly token: () => Promise<string | undefined> } {
  const door = new Door();
  const blank = async (): Promise<Metadata> => {
    const fields = new Map<string, string>();
    return Object.assign(fields, { clone: () => fields as unknown as Metadata }) as unknown as Metadata;
  };
  const login = new Login({ auth: { username: 'me', password: 'secret' }, service: () => door, blank, patience: 1000 });
  const token = async (): Promise<string | undefined> => ((await login.getMetadata()) as unknown as Map<string, string>).get('token');
  return { door, login, token };
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

test('calls that come together share one login, and later ones its token', async () => {
  const { door, token } = opened();
  const both = Promise.all([token(), token()]);
  await turn();
  expect(door.asked).toMatchObject([{ name: 'me', password: 'secret' }]);
  expect(door.asked[0]?.deadline).toBeGreaterThan(Date.now());
  door.asked[0]?.told(null, { token: 't1' });
  expect([...(await both), await token()]).toEqual(['t1', 't1', 't1']);
  expect(door.asked.length).toBe(1);
});

test('a token that was refused is fetched anew, once however many calls were refused', async () => {
  const { door, login, token } = opened();
  const first = token();
  await turn();
  door.asked[0]?.told(null, { token: 't1' });
  await first;
  login.invalidateMetadata();
  const second = token();
  await turn();
  login.invalidateMetadata();
  const third = token();
  await turn();
  expect(door.asked.length).toBe(2);
  door.asked[1]?.told(null, { token: 't2' });
  expect(await Promise.all([second, third])).toEqual(['t2', 't2']);
});

test('one that fails fails those who wait for it, and the next call tries again', async () => {
  const { door, token } = opened();
  const failing = token().catch((error: unknown) => error);
  await turn();
  door.asked[0]?.told(new Error('14 UNAVAILABLE: read ECONNRESET'));
  const error = await failing;
  expect(error).toBeInstanceOf(LoginFailed);
  expect(String(error)).not.toContain('secret');
  const again = token();
  await turn();
  door.asked[1]?.told(null, { token: 't2' });
  expect(await again).toBe('t2');
});
