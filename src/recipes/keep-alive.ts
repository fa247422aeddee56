/** The keep-alive recipe: a key that lives while somebody is subscribed. */
import { concat, defer, EMPTY, from, map, type Observable, of, retry, switchMap, takeUntil, throwError } from 'rxjs';
import type { Scope } from '../at.js';
import { untilSessionEnds } from '../contender.js';
import type { Core } from '../core.js';
import type { Session } from '../driver.js';
import { type Entry, sameEntry, type Value } from '../entry.js';
import { KvError } from '../errors.js';
import { checkKnown } from '../known.js';
import { commit, putOp, written } from '../transaction.js';
import { grantedTtl } from '../ttl.js';

/** As {@link Store.keepAlive$}; throws what is wrong with its arguments. */
export function keepAlive$(core: Core, scope: Scope, key: string, value: Value, options: { ttl: number }): Observable<Entry> {
  const name = scope.key(key);
  checkKnown(options, ['ttl'], 'keepAlive$');
  const ttl = grantedTtl(options?.ttl, core.capabilities, core.driver.name);
  const op = putOp(core, scope, name, value, undefined);
  const registered$ = (session: Session): Observable<Entry> =>
    from(commit(core, scope, [], [{ ...op, session } as typeof op], { timeout: core.timeout }, results => written(scope, results[0]))).pipe(
      switchMap(entry => concat(of(entry), gone$(core, scope, name, entry))),
    );
  return core.session$(ttl).pipe(switchMap(registered$), takeUntil(core.closed$));
}

/** Never emits; errors `session-lost` when the key is no longer what we wrote. */
function gone$({ driver, timeout, watches }: Core, scope: Scope, name: string, mine: Entry): Observable<never> {
  const seen = (entry: Entry): Entry => scope.entry(entry);
  // Not by revision alone: a write past this package need not move it.
  const kept = (current: Entry | undefined): boolean => current !== undefined && sameEntry(current, mine);
  const { key } = mine;
  const lost = (): KvError =>
    new KvError('session-lost', `the key "${key}" was removed or written by somebody else`, { backend: driver.name, key });
  const read$ = defer(() => driver.list({ key: name }, { timeout, consistency: 'strong' })).pipe(
    map(({ entries }) => entries[0] && seen(entries[0])),
  );
  return watches.key$(name, seen).pipe(
    // A feed may begin behind our own write: only a strong read can tell what it means.
    switchMap(current => (kept(current) ? of(current) : read$)),
    // A cut is no loss while the session stands, and the session tells when it does not.
    retry({ delay: untilSessionEnds }),
    switchMap(current => (kept(current) ? EMPTY : throwError(lost))),
  );
}
