/**
 * Locks: a queue of records bound to sessions, whose head takes the key `.lock`.
 *
 * The queue gives the order, lowest CreateIndex first, and the key is the lock: `consul lock` and others who know
 * Consul's own way of locking take the same key below the same directory. Whoever takes it leaves the queue in the same
 * transaction; the index of that is the fence.
 */
import {
  distinctUntilChanged,
  filter,
  map,
  NEVER,
  Observable,
  retry,
  scan,
  type Subscriber,
  Subscription,
  switchMap,
  throwError,
  timer,
} from 'rxjs';
import type { Change, Feed, Grant, Holder, Range, Session } from '../../driver.js';
import { type Entry, sameBytes } from '../../entry.js';
import { KvError } from '../../errors.js';
import { Sharing } from '../../sharing.js';
import type { Cluster } from './cluster.js';
import { backend, errorOf, translated, wordsOf } from './errors.js';
import { type Keyspace, sessionOf } from './keyspace.js';
import { type Answer, parsed, type Step, type TxnAnswer, txnBody } from './wire.js';

export interface LocksOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly feed$: (range: Range) => Observable<Feed>;
  /** ms for one round trip */
  readonly timeout: number;
  /** ms that what is seen of a lock outlives its last contender here */
  readonly linger: number;
  /** Told of releases that go on after an unsubscribe. */
  readonly ending: (work: Promise<void>) => void;
}

/** What is below a lock's directory: who waits, and the key that the holder has. */
interface Line {
  readonly contenders: ReadonlyMap<string, Entry>;
  readonly key: Entry | undefined;
  readonly revision: bigint;
}

/** The key that a lock is, below its directory: that of `consul lock`. */
const lockKey = '.lock';
/** api.LockFlagValue of Consul's Go client, by which it knows a key for a lock. Over 2^53, hence text. */
const lockFlags = '3304740253564472344';
/** ms until a try that failed without news is made again: a lock-delay ends unheard. */
const pause = 250;

export class Locks {
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
    const key = `${directory}/${lockKey}`;
    // Not the line of the contenders, which lingers: who asks wants the holder of now.
    const line$ = this.sharing.of(key, () => this.options.feed$({ key }).pipe(scan((line, message) => fold(line, message, key), nothing)));
    return line$.pipe(
      filter(line => line !== nothing),
      map(({ key: lock }) => (lock?.leased === true ? { value: lock.value, fence: lock.revision } : undefined)),
      distinctUntilChanged((a, b) => a?.fence === b?.fence && sameBytes(a?.value ?? empty, b?.value ?? empty)),
    );
  }

  /** Carries out the steps once those of the same lock that were asked for before are done. */
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

  transact(steps: readonly Step[]): Promise<Answer> {
    const { cluster, timeout } = this.options;
    return cluster.call({ method: 'PUT', path: '/txn', body: txnBody(steps, cluster.place) }, { repeatable: false, timeout });
  }

  key(relative: string): string {
    return this.options.keyspace.key(relative);
  }

  private line$(directory: string): Observable<Line> {
    const { feed$, linger } = this.options;
    return this.sharing.of(
      directory,
      () =>
        feed$({ prefix: `${directory}/` }).pipe(
          scan((line, message) => fold(line, message, `${directory}/${lockKey}`), nothing),
          distinctUntilChanged(),
          filter(line => line !== nothing),
        ),
      linger,
    );
  }
}

/** One who wants a lock, from its record in the queue to its release. */
class Contender {
  private readonly locks: Locks;
  private readonly session: Session;
  private readonly lock: string;
  private readonly record: string;
  private readonly value: Uint8Array<ArrayBuffer>;
  /** The index of its record; 0 until that is written. */
  private entered = 0n;
  /** The index of the transaction that took the lock. */
  private fence: bigint | undefined;
  /** Settles with what is under way. */
  private underway: Promise<unknown> = Promise.resolve();
  private left = false;
  private told = false;

  constructor(locks: Locks, session: Session, directory: string, record: string, value: Uint8Array<ArrayBuffer>) {
    this.locks = locks;
    this.session = session;
    this.lock = `${directory}/${lockKey}`;
    this.record = record;
    this.value = value;
  }

  async enter(): Promise<void> {
    const key = this.locks.key(this.record);
    const steps: Step[] = [
      { verb: 'check-not-exists', key },
      { verb: 'lock', key, value: this.value, session: this.session.id },
    ];
    const entering = this.locks.inOrder(this.record.slice(0, this.record.lastIndexOf('/')), steps);
    this.underway = entering.catch(() => undefined);
    const answer = await entering;
    this.refuse(answer);
    this.entered = BigInt(parsed<TxnAnswer>(answer).Results?.at(-1)?.KV.CreateIndex ?? 0);
  }

  /** 'behind' each time that others are before us, the grant once we hold; errors when it is lost. */
  look$(line: Line): Observable<'behind' | Grant> {
    return new Observable(subscriber => {
      const step = this.look(line);
      if (step === 'lost') subscriber.error(this.lost());
      else if (step === 'behind') subscriber.next('behind');
      else if (step === 'held') this.tell(subscriber, line.key?.revision ?? 0n);
      else if (step === 'take') return this.take$(line.key).subscribe(subscriber);
      return undefined;
    });
  }

  /** Withdraws or releases; never what another has by now. */
  async leave(): Promise<void> {
    this.left = true;
    await this.underway;
    const key = this.locks.key(this.lock);
    // Of an attempt without an answer nobody knows: refused where the lock is not ours.
    const released = this.locks.transact([
      { verb: 'check-session', key, session: this.session.id },
      { verb: 'delete', key },
    ]);
    const withdrawn =
      this.fence === undefined ? this.locks.transact([{ verb: 'delete', key: this.locks.key(this.record) }]) : Promise.resolve();
    // The session ends as well and takes both with it; this is for those who wait behind us.
    await Promise.allSettled([this.fence === undefined && this.entered === 0n ? undefined : released, withdrawn]);
  }

  private look({ contenders, key, revision }: Line): 'lost' | 'behind' | 'held' | 'take' | 'wait' {
    const ours = key !== undefined && sessionOf(key) === this.session.id;
    if (this.fence !== undefined && !ours && revision >= this.fence) return 'lost';
    if (this.fence !== undefined) return this.told ? 'wait' : 'held';
    const mine = contenders.get(this.record);
    // Taken, though the answer never came.
    if (mine === undefined && ours && key.revision > this.entered) return 'held';
    // What is seen may still be from before our record was written.
    if (mine === undefined) return revision < this.entered ? 'wait' : 'lost';
    if (headOf(contenders.values()) !== mine) return 'behind';
    return key?.leased === true ? 'behind' : 'take';
  }

  private take$(seen: Entry | undefined): Observable<'behind' | Grant> {
    return new Observable<'behind' | Grant>(subscriber => {
      if (this.left) return;
      // A line that came during a try does not make another beside it.
      const taking = this.underway.then(async () => this.fence ?? this.take(seen));
      this.underway = taking.catch(() => undefined);
      taking.then(
        fence => {
          if (fence !== undefined) return this.tell(subscriber, fence);
          subscriber.next('behind');
          subscriber.error(new KvError('unavailable', 'the lock was not free', { backend }));
        },
        (error: unknown) => subscriber.error(error),
      );
    }).pipe(
      retry({
        delay: error => (KvError.is(error) && error.transient && error.code !== 'session-lost' ? timer(pause) : throwError(() => error)),
      }),
    );
  }

  /** The fence; undefined where the lock is no longer as it was seen, or under a lock-delay. */
  private async take(seen: Entry | undefined): Promise<bigint | undefined> {
    const key = this.locks.key(this.lock);
    // Also against another contender of the same session, for which a plain lock would be no conflict.
    const guard: Step = seen === undefined ? { verb: 'check-not-exists', key } : { verb: 'check-index', key, index: seen.revision };
    const answer = await this.locks.transact([
      guard,
      { verb: 'lock', key, value: this.value, session: this.session.id, flags: lockFlags },
      { verb: 'delete', key: this.locks.key(this.record) },
    ]);
    const { Results, Errors } = parsed<TxnAnswer>(answer);
    if (answer.status !== 409) {
      this.fence = BigInt(Results?.at(-1)?.KV.ModifyIndex ?? 0);
      return this.fence;
    }
    if ((Errors ?? []).some(({ What }) => What.includes('invalid session'))) this.refuse(answer);
    return undefined;
  }

  private tell(subscriber: Subscriber<Grant>, taken: bigint): void {
    this.fence ??= taken;
    if (subscriber.closed || this.told) return;
    this.told = true;
    subscriber.next({ key: this.lock, fence: this.fence, session: this.session });
  }

  private refuse(answer: Answer): void {
    if (answer.status !== 409) return;
    const what =
      parsed<TxnAnswer>(answer)
        .Errors?.map(({ What }) => What)
        .join('; ') ?? '';
    const refused = wordsOf(what, what);
    throw refused === undefined ? new KvError('internal', 'a contender met its own record', { backend }) : errorOf(refused);
  }

  private lost(): KvError {
    return this.fence === undefined
      ? new KvError('session-lost', 'the record in the queue of the lock was removed', { backend })
      : new KvError('lock-lost', 'the key of the lock was removed or taken', { backend });
  }
}

const nothing: Line = { contenders: new Map(), key: undefined, revision: -1n };
const empty = new Uint8Array(0);

/** A cut is no loss while the session stands, and the session tells when it does not: go on trying. */
function untilSessionEnds(error: unknown, attempt: number): Observable<number> {
  const known = translated(error);
  return known.transient ? timer(Math.min(1000, 25 * 2 ** attempt)) : throwError(() => known);
}

function fold(line: Line, message: Feed, lock: string): Line {
  if (message.type === 'mark') return line;
  const contenders = message.type === 'reset' ? new Map<string, Entry>() : new Map(line.contenders);
  let key = message.type === 'reset' ? undefined : line.key;
  const changes: readonly Change[] = message.type === 'reset' ? message.entries.map(entry => ({ put: entry })) : message.changes;
  for (const change of changes) {
    if ('put' in change && change.put.key === lock) key = change.put;
    // A record without a session would hold for ever: not one of ours.
    else if ('put' in change && change.put.leased) contenders.set(change.put.key, change.put);
    else if ('delete' in change && change.delete === lock) key = undefined;
    else if ('delete' in change) contenders.delete(change.delete);
  }
  return { contenders, key, revision: message.revision };
}

function headOf(contenders: Iterable<Entry>): Entry | undefined {
  let head: Entry | undefined;
  for (const entry of contenders) if (head === undefined || entry.created < head.created) head = entry;
  return head;
}
