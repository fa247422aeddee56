/** A gate: the way between a driver and a table in memory, which can be cut as a network can. */
import { BehaviorSubject, distinctUntilChanged, map, NEVER, Observable, switchMap, tap, throwError, timer } from 'rxjs';
import type { Feed } from '../../driver.js';
import { KvError } from '../../errors.js';

/** `cut`: what is asked is refused. `hung`: nothing is ever answered. */
export type Way = 'open' | 'cut' | 'hung';

const longestTimer = 2 ** 31 - 1;

export class Gate {
  private readonly backend: string;
  private readonly way$: BehaviorSubject<Way>;

  constructor(backend: string, way: Way = 'open') {
    this.backend = backend;
    this.way$ = new BehaviorSubject<Way>(way);
  }

  get way(): Way {
    return this.way$.value;
  }

  set(way: Way): void {
    this.way$.next(way);
  }

  /**
   * Makes a call, unless the way is closed: then it rejects `unavailable`, or is never answered.
   *
   * @param work  is given a function to call right before the call takes effect, which throws where the way has
   *   been closed in the meantime
   * @param wait  keeps a promise in time. Only what is never answered needs it: memory answers at once.
   */
  call<T>(work: (admit: () => void) => Promise<T>, wait: (answer: Promise<T>) => Promise<T>): Promise<T> {
    let lost = false;
    const admit = (): void => {
      const { way } = this;
      if (way === 'open') return;
      lost = way === 'hung';
      throw this.refusal();
    };
    if (this.way === 'hung') return wait(new Promise<T>(() => {}));
    if (this.way === 'cut') return Promise.reject(this.refusal());
    return work(admit).catch((error: unknown) => {
      if (lost) return wait(new Promise<T>(() => {}));
      throw error;
    });
  }

  /**
   * A feed that goes on from where it was when the way is open again, or errors `unavailable` once it has been
   * closed for `silence` ms.
   */
  feed$(feed$: (since?: bigint) => Observable<Feed>, silence: number, since?: bigint): Observable<Feed> {
    return new Observable<Feed>(subscriber => {
      let said = since;
      const told = tap((message: Feed) => {
        said = message.revision ?? said;
      });
      return this.way$
        .pipe(
          map(way => way === 'open'),
          distinctUntilChanged(),
          switchMap(open => (open ? feed$(said).pipe(told) : this.silent$(silence))),
        )
        .subscribe(subscriber);
    });
  }

  private silent$(silence: number): Observable<never> {
    if (silence > longestTimer) return NEVER;
    return timer(silence).pipe(
      switchMap(() => throwError(() => new KvError('unavailable', `nothing heard for ${silence} ms`, { backend: this.backend }))),
    );
  }

  private refusal(): KvError {
    return new KvError('unavailable', 'the connection is cut', { backend: this.backend });
  }
}
