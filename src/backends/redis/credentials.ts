/** Credentials: what a connection shows of itself, as it is or from who provides it. */
import type { Auth } from '../../auth.js';
import { KvError } from '../../errors.js';
import { backend } from './errors.js';

export interface Credentials {
  /** Left out: the password is that of the user `default`. */
  readonly username?: string;
  readonly password: string;
}

/** @throws KvError `denied` where the provider of a token fails, or gives none */
export async function credentialsOf(auth: Auth | undefined): Promise<Credentials | undefined> {
  if (auth === undefined || !('token' in auth)) return auth;
  return { password: typeof auth.token === 'function' ? await provided(auth.token) : auth.token };
}

async function provided(provide: () => string | Promise<string>): Promise<string> {
  let token: unknown;
  try {
    token = await provide();
  } catch (error) {
    throw new KvError('denied', 'auth.token of redis() failed (see cause)', { backend, cause: error });
  }
  if (typeof token !== 'string') throw new KvError('denied', 'auth.token of redis() gave no string', { backend });
  return token;
}
