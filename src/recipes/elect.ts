/** The election recipe: leadership is a lock, told as a stream of facts. */
import { Observable } from 'rxjs';
import type { Scope } from '../at.js';
import type { Core } from '../core.js';
import { KvError } from '../errors.js';
import type { ElectOptions, Leadership } from '../interface.js';
import { checkKnown } from '../known.js';
import { lock$ } from './lock.js';

/** As {@link Store.elect$}. */
export function elect$(core: Core, scope: Scope, key: string, options: ElectOptions): Observable<Leadership> {
  return new Observable<Leadership>(subscriber => {
    let leading = false;
    const resign = (): void => {
      if (!leading) return;
      leading = false;
      subscriber.next({ leading: false });
    };
    subscriber.next({ leading: false });
    if (subscriber.closed) return undefined;
    try {
      checkElect(options);
    } catch (error) {
      subscriber.error(error);
      return undefined;
    }
    return lock$(core, scope, key, { value: options.id, ttl: options.ttl }).subscribe({
      next: lock => {
        leading = true;
        subscriber.next({ leading: true, fence: lock.fence, lock });
      },
      error: (error: unknown) => {
        resign();
        subscriber.error(error);
      },
      complete: () => {
        resign();
        subscriber.complete();
      },
    });
  });
}

function checkElect(options: ElectOptions): void {
  checkKnown(options, ['id', 'ttl'], 'elect$');
  if (typeof options?.id !== 'string' || options.id === '')
    throw new KvError('invalid', 'elect$ needs an id: what leader$ shows of the leader');
}
