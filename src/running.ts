/**
 * What a driver runs on between start() and close(): its parts, made when its store starts it.
 *
 * What is asked before or after is refused here, in the same words for every backend; streams end with close().
 */
import { Observable, type Subscriber } from 'rxjs';
import { aborted, Deadlines } from './deadline.js';
import type { Call } from './driver.js';
import { KvError, type KvErrorDetail } from './errors.js';

/** A request that is left out of the next batch once nobody waits for it. */
export interface Abandonable {
  abandoned: boolean;
}

export class Running<Parts> {
  private readonly backend: string;
  private readonly reading: KvErrorDetail;
  private readonly writing: KvErrorDetail;
  private readonly deadlines: Deadlines = new Deadlines();
  /** Of streams that end with close(). */
  private readonly live: Set<Subscriber<never>> = new Set();
  private made: Parts | undefined;
  private closed = false;

  constructor(backend: string) {
    this.backend = backend;
    this.reading = { backend };
    this.writing = { backend, outcome: 'unknown' };
  }

  /** undefined before the start. */
  get parts(): Parts | undefined {
    return this.made;
  }

  /** @throws KvError `invalid` the second time: a driver belongs to one store */
  start(make: () => Parts): void {
    if (this.made !== undefined) throw new KvError('invalid', 'a driver belongs to one store, and this one has one', this.reading);
    this.made = make();
  }

  /** The parts for one call. @throws KvError `closed`, or `aborted` where the signal is so already */
  open(call: Call, what: string): Parts {
    if (this.closed) throw closedError(this.backend);
    if (call.signal?.aborted === true) throw aborted(call.signal, what, this.reading);
    return this.started();
  }

  /** Settles as `use` says of the parts; rejects with what {@link open} or `use` throws. No frame of a promise is added. */
  call<T>(call: Call, what: string, use: (parts: Parts) => Promise<T>): Promise<T> {
    try {
      return use(this.open(call, what));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Settles as the read does, in time. */
  read<T>(answer: Promise<T>, call: Call, what: string): Promise<T> {
    return this.deadlines.race(answer, call, what, this.reading);
  }

  /** As {@link read}, and marks the request when it has been given up. */
  follow<T>(request: Abandonable, answer: Promise<T>, call: Call, what: 'get' | 'commit'): Promise<T> {
    const detail = what === 'commit' ? this.writing : this.reading;
    return this.deadlines.race(answer, call, what, detail, () => (request.abandoned = true));
  }

  /** What `use$` makes of the parts at each subscription; errors `closed` at close(). */
  live$<T>(use$: (parts: Parts) => Observable<T>): Observable<T> {
    return new Observable<T>(subscriber => {
      if (this.closed) throw closedError(this.backend);
      this.live.add(subscriber);
      subscriber.add(() => this.live.delete(subscriber));
      return use$(this.started()).subscribe(subscriber);
    });
  }

  /** Ends the streams; the parts that are to be ended, the first time alone and only where there are any. */
  close(): Parts | undefined {
    if (this.closed) return undefined;
    this.closed = true;
    this.deadlines.close();
    for (const subscriber of [...this.live]) subscriber.error(closedError(this.backend));
    return this.made;
  }

  private started(): Parts {
    if (this.made === undefined) throw new KvError('internal', 'the driver was used before start()', this.reading);
    return this.made;
  }
}

/** The error of what was under way at close(). */
export function closedError(backend: string): KvError {
  return new KvError('closed', 'the store is closed', { backend });
}

/**
 * Answers to those of a batch who still wait, in its order.
 *
 * @param ask  is given them, and not called where there are none
 */
export async function answersTo<T extends Abandonable, R>(
  batch: readonly T[],
  backend: string,
  ask: (waiting: readonly T[]) => Promise<readonly (R | Error)[]>,
): Promise<(R | Error)[]> {
  const waiting = batch.filter(({ abandoned }) => !abandoned);
  const answers = waiting.length === 0 ? [] : await ask(waiting);
  let next = 0;
  return batch.map(request => (request === waiting[next] ? (answers[next++] as R | Error) : givenUpError(backend)));
}

/** What becomes of a request that was abandoned before it was sent; its caller has been told already. */
export function givenUpError(backend: string): KvError {
  return new KvError('timeout', 'given up before it was sent', { backend });
}
