/** A contender: one who wants a lock, from its record in the queue to its release. */
import { Observable, retry, type Subscriber, throwError, timer } from 'rxjs';
import type { Grant, Session } from '../../driver.js';
import type { Entry } from '../../entry.js';
import { KvError } from '../../errors.js';
import { backend, errorOf, wordsOf } from './errors.js';
import { sessionOf } from './keyspace.js';
import { headOf, type Line, lockKey } from './line.js';
import { type Answer, parsed, type Step, type TxnAnswer } from './wire.js';

/** api.LockFlagValue of Consul's Go client, by which it knows a key for a lock. Over 2^53, hence text. */
const lockFlags = '3304740253564472344';
/** ms until a try that failed without news is made again: a lock-delay ends unheard. */
const pause = 250;

/** How a contender reaches Consul. */
export interface Transactor {
  transact(steps: readonly Step[]): Promise<Answer>;
  /** As `transact`, once those of the same lock that were asked for before are done. */
  inOrder(directory: string, steps: readonly Step[]): Promise<Answer>;
  /** As Consul knows it. */
  key(relative: string): string;
}

export class Contender {
  private readonly locks: Transactor;
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
  /** Whether it has asked for the lock, however that went. */
  private tried = false;
  private told = false;

  constructor(locks: Transactor, session: Session, directory: string, record: string, value: Uint8Array<ArrayBuffer>) {
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
    const [key, record] = [this.locks.key(this.lock), this.locks.key(this.record)];
    const steps: Step[][] = [];
    // Of an attempt without an answer nobody knows; refused where the lock is not ours.
    if (this.tried)
      steps.push([
        { verb: 'check-session', key, session: this.session.id },
        { verb: 'delete', key },
      ]);
    if (this.fence === undefined) steps.push([{ verb: 'delete', key: record }]);
    // The session ends as well and takes both with it; this is for those who wait behind us.
    await Promise.allSettled(steps.map(async each => this.locks.transact(each)));
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
    this.tried = true;
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
