/** The leader recipe: who is at the head of a lock's queue. */
import { distinctUntilChanged, map, type Observable, switchMap } from 'rxjs';
import type { Scope } from '../at.js';
import type { Core } from '../core.js';
import type { Leader } from '../interface.js';
import { lockPath$, valueOf } from './path.js';

/** As {@link Store.leader$}; throws what is wrong with the key. */
export function leader$(core: Core, scope: Scope, key: string): Observable<Leader | undefined> {
  const { driver, queue, sharing } = core;
  const name = scope.key(key);
  return sharing.of(`leader ${name}`, () =>
    lockPath$(name).pipe(
      switchMap(path =>
        (driver.holder$?.(path.directory) ?? queue.holder$(path.directory)).pipe(
          map(holder => holder && { id: new TextDecoder().decode(valueOf(path, holder.value)), fence: holder.fence }),
        ),
      ),
      distinctUntilChanged((a, b) => a?.fence === b?.fence && a?.id === b?.id),
    ),
  );
}
