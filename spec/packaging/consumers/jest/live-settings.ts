/** What a Nest service looks like that follows a tree; no decorators, since Nest itself is not what is tested. */
import { Subscription } from 'rxjs';
import { diff, retryTransient, text, type Store } from 'rxkv';

export class LiveSettings {
  readonly log: string[] = [];
  private readonly subscription: Subscription;

  constructor(private readonly store: Store) {
    this.subscription = store
      .watchTree$('settings')
      .pipe(retryTransient(), diff())
      .subscribe(({ type, key, entry }) => this.log.push(`${type} ${key} ${text(entry)}`));
  }

  async onApplicationShutdown(): Promise<void> {
    this.subscription.unsubscribe();
    await this.store.close();
  }
}
