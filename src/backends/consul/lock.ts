/**
 * Locks: a queue of records bound to sessions, whose head takes the key `.lock`.
 *
 * The queue gives the order, lowest CreateIndex first, and the key is the lock: `consul lock` and others who know
 * Consul's own way of locking take the same key below the same directory. Whoever takes it leaves the queue in the same
 * transaction; the index of that is the fence.
 */
import { distinctUntilChanged, filter, map, NEVER, Observable, retry, scan, Subscription, switchMap } from 'rxjs';
import { untilSessionEnds } from '../../contender.js';
import type { Feed, Grant, Holder, Range, Session } from '../../driver.js';
import { sameBytes } from '../../entry.js';
import { Sharing } from '../../sharing.js';
import { heardWithin } from '../../silence.js';
import type { Cluster } from './cluster.js';
import { Contender, type Transactor } from './contender.js';
import type { Keyspace } from './keyspace.js';
import { fold, type Line, lockKey, untold } from './line.js';
import { type Answer, type Step, txnBody } from './wire.js';

export interface LocksOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly feed$: (range: Range) => Observable<Feed>;
  /** ms for one round trip */
  readonly timeout: number;
  /** ms after which hearing nothing is an error for those whose session does not tell them */
  readonly silence: number;
  /** ms that what is seen of a lock outlives its last contender here */
  readonly linger: number;
  /** Told of releases that go on after an unsubscribe. */
  readonly ending: (work: Promise<void>) => void;
}

export class Locks implements Transactor {
  private readonly options: LocksOptions;
  private readonly sharing: Sharing = new Sharing(NEVER);
  private contenders = 0;
  /** Settles with the record that was written last of each lock: they stand in the order of asking. */
  private readonly entering: Map<string, Promise<unknown>> = new Map();

  constructor(options: LocksOptions) {
    this.options = options;
  }

  /** As {@link Driver.acquire$}. */
  acquire$(session: Session, directory: string, value: Uint8Array<ArrayBuffer>, behind?: () => void): Observable<Grant> {
    return new Observable<Grant>(subscriber => {
      const { ending } = this.options;
      const contender = new Contender(this, session, directory, `${directory}/${session.id}-${++this.contenders}`, value);
      const entered = contender.enter();
      const watching = new Subscription();
      subscriber.add(watching);
      // The record, or the lock, goes however far it came.
      subscriber.add(() => ending(contender.leave()));
      entered.then(
        () =>
          watching.add(
            this.line$(directory)
              .pipe(
                retry({ delay: untilSessionEnds }),
                switchMap(line => contender.look$(line)),
              )
              .subscribe({
                next: grant => (grant === 'behind' ? behind?.() : subscriber.next(grant)),
                error: (error: unknown) => subscriber.error(error),
              }),
          ),
        (error: unknown) => subscriber.error(error),
      );
    });
  }

  /** As {@link Driver.holder$}. */
  holder$(directory: string): Observable<Holder | undefined> {
    const { feed$, silence } = this.options;
    const key = `${directory}/${lockKey}`;
    // Not the line of the contenders, which lingers: who asks wants the holder of now.
    const line$ = this.sharing.of(key, () =>
      feed$({ key }).pipe(
        heardWithin(silence),
        scan((line, message) => fold(line, message, key), untold),
      ),
    );
    return line$.pipe(
      filter(line => line !== untold),
      map(({ key: lock }) => (lock?.leased === true ? { value: lock.value, fence: lock.revision } : undefined)),
      distinctUntilChanged((a, b) => a?.fence === b?.fence && sameBytes(a?.value ?? empty, b?.value ?? empty)),
    );
  }

  /** As {@link Transactor.inOrder}. */
  inOrder(directory: string, steps: readonly Step[]): Promise<Answer> {
    const before = this.entering.get(directory) ?? Promise.resolve();
    const turn = before.catch(() => undefined).then(() => this.transact(steps));
    this.entering.set(directory, turn);
    const leave = (): void => {
      if (this.entering.get(directory) === turn) this.entering.delete(directory);
    };
    turn.then(leave, leave);
    return turn;
  }

  /** As {@link Transactor.transact}. */
  transact(steps: readonly Step[]): Promise<Answer> {
    const { cluster, timeout } = this.options;
    return cluster.call({ method: 'PUT', path: '/txn', body: txnBody(steps, cluster.place) }, { repeatable: false, timeout });
  }

  /** As {@link Transactor.key}. */
  key(relative: string): string {
    return this.options.keyspace.key(relative);
  }

  private line$(directory: string): Observable<Line> {
    const { feed$, linger } = this.options;
    return this.sharing.of(
      directory,
      () =>
        feed$({ prefix: `${directory}/` }).pipe(
          scan((line, message) => fold(line, message, `${directory}/${lockKey}`), untold),
          distinctUntilChanged(),
          filter(line => line !== untold),
        ),
      linger,
    );
  }
}

const empty = new Uint8Array(0);
