/** A token: what a store shows of itself, as it is or from who provides it, who is asked again when it is refused. */
import { asKvError, KvError } from '../../errors.js';
import type { TokenAuth } from '../../auth.js';
import { backend } from './errors.js';

export class Tokens {
  private readonly given: TokenAuth['token'] | undefined;
  private asking: Promise<string> | undefined;
  private known: string | undefined;

  constructor(auth: TokenAuth | undefined) {
    this.given = auth?.token;
    if (typeof this.given === 'string') this.known = this.given;
  }

  /** Whether somebody provides it, who takes the time that he likes. */
  get provided(): boolean {
    return typeof this.given === 'function';
  }

  /** The token in use, at once where it is known. @throws KvError `denied` where its provider fails */
  current(): string | undefined | Promise<string> {
    return this.known === undefined && typeof this.given === 'function' ? this.ask(this.given) : this.known;
  }

  /** Whether there is another token to try after this one was refused. */
  async renewed(refused: string | undefined): Promise<boolean> {
    if (typeof this.given !== 'function') return false;
    // Others may have been told so before, and asked already.
    if (this.known !== refused) return true;
    this.known = undefined;
    return (await this.ask(this.given)) !== refused;
  }

  private ask(provide: () => string | Promise<string>): Promise<string> {
    this.asking ??= this.fetched(provide).finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private async fetched(provide: () => string | Promise<string>): Promise<string> {
    try {
      const token = await provide();
      if (typeof token !== 'string') throw new KvError('denied', 'auth.token of consul() gave no string', { backend });
      this.known = token;
      return token;
    } catch (error) {
      if (KvError.is(error)) throw error;
      throw new KvError('denied', 'auth.token of consul() failed (see cause)', { backend, cause: asKvError(error).cause });
    }
  }
}
