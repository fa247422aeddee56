/** Work that runs exactly while a lock is held: what whileHeld() and whileLeading() have in common. */
import { defer, EMPTY, materialize, Observable, type ObservableInput, Subject, switchMap, takeUntil, takeWhile, throwError } from 'rxjs';
import { invalid } from '../errors.js';
import type { Lock } from '../interface.js';

/** @throws KvError `invalid` */
export function checkWork(where: string, work: unknown): void {
  if (typeof work !== 'function') throw invalid(`${where} takes a function that gives the work`);
}

/** A lock, and what is to be done while it is held. */
export interface Tenure<R> {
  readonly lock: Lock;
  readonly work: () => ObservableInput<R>;
}

/**
 * Runs the work of the latest tenure. It ends at the next value of the source, at its error and its completion,
 * when the lock's signal aborts, and on unsubscribe, where the work is torn down before the source, which releases.
 *
 * @param begin undefined for a value at which nothing is held
 */
export function during<S, R>(source: Observable<S>, begin: (value: S) => Tenure<R> | undefined): Observable<R> {
  return new Observable(subscriber => {
    const left$ = new Subject<void>();
    // Added before the source subscribes: teardowns run in this order, so the work stops before the lock is released.
    subscriber.add(() => left$.next());
    source
      .pipe(
        // switchMap alone lets the work go on when the source completes, and switches to nothing when it fails: as
        // values, both take the place of the work before they are passed on.
        materialize(),
        switchMap(message => {
          if (message.kind === 'E') return throwError(() => message.error as unknown);
          const tenure = message.kind === 'N' ? begin(message.value as S) : undefined;
          return tenure === undefined ? EMPTY : worked(tenure).pipe(takeUntil(left$));
        }),
      )
      .subscribe(subscriber);
  });
}

function worked<R>({ lock, work }: Tenure<R>): Observable<R> {
  return defer(() => (lock.held ? work() : EMPTY)).pipe(
    // After a pause of the process `held` knows of the loss before any timer has run.
    takeWhile(() => lock.held),
    takeUntil(aborted$(lock.signal)),
  );
}

function aborted$(signal: AbortSignal): Observable<void> {
  return new Observable(subscriber => {
    const emit = (): void => subscriber.next();
    if (signal.aborted) return emit();
    signal.addEventListener('abort', emit);
    return () => signal.removeEventListener('abort', emit);
  });
}
