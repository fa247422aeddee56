/** Credentials as every networked backend takes them: a name with its password, or a token. */
import { invalid } from './errors.js';
import { kindOf } from './kind.js';
import { checkOptions } from './options.js';

export interface PasswordAuth {
  username: string;
  password: string;
}

export interface TokenAuth {
  /** The token, or who provides it: asked when it is first needed, and once more after a refusal. */
  token: string | (() => string | Promise<string>);
}

export type Auth = PasswordAuth | TokenAuth;

/**
 * The credentials as they are, undefined where there are none. No message holds any of them.
 *
 * @param where whose options they are, for the message: "etcd()"
 * @throws KvError `invalid` for an unknown option, both kinds at once, half of one, or one of another type
 */
export function authOf(given: Auth | undefined, where: string): Auth | undefined {
  if (given === undefined) return undefined;
  checkOptions(given, ['username', 'password', 'token'], `auth of ${where}`);
  const { username, password, token } = given as Partial<PasswordAuth & TokenAuth>;
  if (token !== undefined) {
    if (username !== undefined || password !== undefined)
      throw invalid(`auth of ${where} takes a token, or username and password, not both`);
    if (typeof token !== 'string' && typeof token !== 'function')
      throw invalid(`auth.token of ${where} is a string or a function, not ${kindOf(token)}`);
    return given;
  }
  if (username === undefined || password === undefined) throw invalid(`auth of ${where} is { username, password } or { token }`);
  if (typeof username !== 'string') throw invalid(`auth.username of ${where} is a string, not ${kindOf(username)}`);
  if (typeof password !== 'string') throw invalid(`auth.password of ${where} is a string, not ${kindOf(password)}`);
  return given;
}

/** Whether they are a name with its password. */
export function isPassword(auth: Auth): auth is PasswordAuth {
  return !('token' in auth) || auth.token === undefined;
}
