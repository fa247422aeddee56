/** Sharing: one source however many subscribers, kept by name while somebody is subscribed. */
import { defer, finalize, type Observable, race, ReplaySubject, share, takeUntil, tap, timer } from 'rxjs';

export class Sharing {
  private readonly sources: Map<string, Observable<unknown>> = new Map();
  private readonly closed$: Observable<void>;

  /** @param closed$ emits once at close, at once to later subscribers: every source completes */
  constructor(closed$: Observable<void>) {
    this.closed$ = closed$;
  }

  /**
   * The shared source of that name; `make` is asked once for as long as somebody is subscribed. A late
   * subscriber gets the last value at once. After an error the next subscription subscribes to the same source
   * again, so that it can go on from what it had.
   *
   * @param linger ms that the source outlives its last subscriber
   */
  of<T>(name: string, make: () => Observable<T>, linger = 0): Observable<T> {
    return defer(() => {
      const known = this.sources.get(name) as Observable<T> | undefined;
      if (known !== undefined) return known;
      let failed = false;
      const shared$: Observable<T> = make().pipe(
        takeUntil(this.closed$),
        tap({ subscribe: () => (failed = false), error: () => (failed = true) }),
        finalize(() => {
          if (!failed && this.sources.get(name) === shared$) this.sources.delete(name);
        }),
        share({
          connector: () => new ReplaySubject<T>(1),
          resetOnError: true,
          resetOnComplete: false,
          resetOnRefCountZero: linger > 0 ? () => race(timer(linger), this.closed$) : true,
        }),
      );
      this.sources.set(name, shared$);
      return shared$;
    });
  }
}
