/** The keep-alive recipe: a key that lives while somebody is subscribed. */
import { concat, defer, filter, from, type Observable, of, retry, switchMap, takeUntil, throwError, timer } from 'rxjs';
import type { Scope } from '../at.js';
import type { Core } from '../core.js';
import type { Feed, Session } from '../driver.js';
import { type Entry, sameEntry, type Value } from '../entry.js';
import { KvError } from '../errors.js';
import { checkKnown } from '../known.js';
import { commit, putOp } from '../transaction.js';
import { grantedTtl } from '../ttl.js';

/** As {@link Store.keepAlive$}. */
export function keepAlive$(core: Core, scope: Scope, key: string, value: Value, options: { ttl: number }): Observable<Entry> {
  const { driver } = core;
  return core.known$(() => {
    const name = scope.key(key);
    checkKnown(options, ['ttl'], 'keepAlive$');
    const ttl = grantedTtl(options?.ttl, core.capabilities, driver.name);
    const op = putOp(core, scope, name, value, undefined);
    const registered$ = (session: Session): Observable<Entry> =>
      from(commit(core, scope, [], [{ ...op, session } as typeof op], { timeout: core.timeout }, results => results)).pipe(
        switchMap(([result]) => {
          const entry = result?.entry;
          if (entry === undefined) throw new KvError('internal', 'the driver returned no entry for a put');
          return concat(of(scope.entry(entry)), gone$(core, entry, key));
        }),
      );
    return core.session$(ttl).pipe(switchMap(registered$), takeUntil(core.closed$));
  });
}

/** Never emits; errors `session-lost` when the key is no longer what we wrote. */
function gone$(core: Core, mine: Entry, key: string): Observable<never> {
  const { driver, timeout } = core;
  const lost = (): KvError =>
    new KvError('session-lost', `the key "${key}" was removed or written by somebody else`, { backend: driver.name, key });
  // A feed may begin behind our own write: only a strong read can tell what it means.
  const verified$ = defer(() => from(driver.list({ key: mine.key }, { timeout, consistency: 'strong' }))).pipe(
    switchMap(({ entries: [current] }) => (current !== undefined && sameEntry(current, mine) ? of<never>() : throwError(lost))),
  );
  return core.feed$({ key: mine.key }).pipe(
    // A mark says nothing of the key: it must not end a verification that is under way.
    filter(message => message.type !== 'mark'),
    switchMap(message => (concerns(message, mine) ? verified$ : of<never>())),
    // A cut is no loss while the session stands, and the session tells when it does not.
    retry({
      delay: (error, attempt) =>
        KvError.is(error) && error.transient && error.code !== 'session-lost'
          ? timer(Math.min(1000, 25 * 2 ** attempt))
          : throwError(() => error),
    }),
  );
}

/** Whether a message says anything other than that the entry is as we wrote it. */
function concerns(message: Feed, mine: Entry): boolean {
  if (message.type === 'mark') return false;
  const entries =
    message.type === 'reset'
      ? message.entries
      : message.changes.flatMap(change => ('put' in change ? [change.put] : 'entries' in change ? change.entries : []));
  // Not by revision alone: a write past this package need not move it.
  return !entries.some(entry => sameEntry(entry, mine));
}
