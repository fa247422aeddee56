import { expect, test } from 'vitest';
import { type Auth, authOf, isPassword } from '../src/auth.js';

test('a name with its password, a token, or who provides one are taken as they are', () => {
  const provider = async (): Promise<string> => 'secret';
  for (const auth of [{ username: 'a', password: '' }, { token: 'secret' }, { token: provider }]) expect(authOf(auth, 'etcd()')).toBe(auth);
  expect(authOf(undefined, 'etcd()')).toBeUndefined();
});

test('which of the two kinds it is', () => {
  expect(isPassword({ username: 'a', password: 'b' })).toBe(true);
  expect(isPassword({ token: 'a' })).toBe(false);
});

test.each([
  [{ username: 'me' }, 'auth of etcd() is { username, password } or { token }'],
  [{ password: 'secret' }, 'auth of etcd() is { username, password } or { token }'],
  [{}, 'auth of etcd() is { username, password } or { token }'],
  [{ username: 'me', password: 'secret', token: 'secret' }, 'auth of etcd() takes a token, or username and password, not both'],
  [{ username: 1, password: 'secret' }, 'auth.username of etcd() is a string, not a number'],
  [{ username: 'me', password: 1 }, 'auth.password of etcd() is a string, not a number'],
  [{ token: 1 }, 'auth.token of etcd() is a string or a function, not a number'],
  [{ usernam: 'me', password: 'secret' }, 'unknown option "usernam" of auth of etcd(): did you mean "username"?'],
  ['secret', 'the options of auth of etcd() are an object, not a string'],
])('%j: %s', (auth, message) => {
  expect(() => authOf(auth as unknown as Auth, 'etcd()')).toThrow(message);
  expect(() => authOf(auth as unknown as Auth, 'etcd()')).not.toThrow(/secret/);
});
