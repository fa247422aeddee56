/**
 * A login: the token of a user, fetched with the first call and anew once a server refuses it.
 *
 * In place of etcd3's own, which fetches it over a connection of its own: one that all clients of the process share, that
 * no keepalive watches and no close() ends.
 */
import type { PasswordAuth } from '../../auth.js';

/** What goes with each call, of gRPC's class. */
export interface Metadata {
  clone(): Metadata;
  set(name: string, value: string): void;
}

/** The service of a member that gives tokens. */
export interface AuthService {
  authenticate(
    user: { readonly name: string; readonly password: string },
    options: { readonly deadline: number },
    told: (error: Error | null, answer?: { readonly token: string }) => void,
  ): void;
}

export interface LoginOptions {
  readonly auth: PasswordAuth;
  readonly service: () => AuthService;
  /** Metadata with nothing in it. */
  readonly blank: () => Promise<Metadata>;
  /** ms that it may take */
  readonly patience: number;
}

/** Why no call could be made at all: what `cause` says concerns the login, and no server has seen the call. */
export class LoginFailed extends Error {
  constructor(cause: Error) {
    super('the login failed', { cause });
  }
}

/** As etcd3 asks for it. */
export class Login {
  private readonly options: LoginOptions;
  private metadata: Promise<Metadata> | undefined;
  private underway = false;

  constructor(options: LoginOptions) {
    this.options = options;
  }

  /** @throws LoginFailed */
  getMetadata(): Promise<Metadata> {
    if (this.metadata === undefined) {
      this.underway = true;
      const metadata = this.fetch().finally(() => {
        this.underway = false;
      });
      this.metadata = metadata;
      // The next call tries again.
      metadata.catch(() => {
        if (this.metadata === metadata) this.metadata = undefined;
      });
    }
    return this.metadata;
  }

  /** The token was refused. While another is fetched it is the one before that is meant. */
  invalidateMetadata(): void {
    if (!this.underway) this.metadata = undefined;
  }

  private async fetch(): Promise<Metadata> {
    const metadata = await this.options.blank();
    metadata.set('token', await this.token());
    return metadata;
  }

  private token(): Promise<string> {
    const { auth, service, patience } = this.options;
    const user = { name: auth.username, password: auth.password };
    return new Promise((resolve, reject) => {
      service().authenticate(user, { deadline: Date.now() + patience }, (error, answer) => {
        if (answer === undefined) reject(new LoginFailed(error ?? new Error('no answer')));
        else resolve(answer.token);
      });
    });
  }
}
