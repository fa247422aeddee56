/**
 * Deadlines: many promises that must settle in time, on one timer.
 *
 * A timer and an AbortController for each call cost more than an embedded read does; a wheel of coarse
 * buckets costs a map look-up.
 */
import { KvError, type KvErrorDetail } from './errors.js';

/** ms: how much later than its deadline a call may be given up. */
const grain = 10;

interface Pending {
  readonly expire: () => void;
}

/** Gives up what takes too long. One instance for each driver; {@link Deadlines.close} when it ends. */
export class Deadlines {
  private readonly buckets: Map<number, Set<Pending>> = new Map();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private armedFor = Infinity;

  /**
   * Settles as `work` does, or rejects with `timeout` after `timeout` ms, or with `aborted` when the signal
   * aborts. What `work` answers later is dropped.
   *
   * @param what  for the message: "put"
   * @param detail  backend, key, and `outcome: 'unknown'` for a write
   * @param givenUp  called before it rejects so
   */
  race<T>(
    work: Promise<T>,
    { timeout, signal }: { readonly timeout: number; readonly signal?: AbortSignal },
    what: string,
    detail: KvErrorDetail,
    givenUp?: () => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const giveUp = (error: KvError): void => {
        leave();
        givenUp?.();
        reject(error);
      };
      let leave = this.enter(timeout, () => giveUp(new KvError('timeout', `${what}: no answer within ${timeout} ms`, detail)));
      // Most calls have no signal, and are spared what it takes.
      if (signal !== undefined) leave = abortable(signal, leave, () => giveUp(aborted(signal, what, detail)));
      work.then(
        value => {
          leave();
          resolve(value);
        },
        (error: unknown) => {
          leave();
          reject(error as Error);
        },
      );
    });
  }

  /** Calls `expire` after `timeout` ms unless the returned function is called before. */
  enter(timeout: number, expire: () => void): () => void {
    if (timeout === Infinity) return () => {};
    const bucket = Math.ceil((now() + timeout) / grain);
    const pending: Pending = { expire };
    let members = this.buckets.get(bucket);
    if (members === undefined) this.buckets.set(bucket, (members = new Set()));
    members.add(pending);
    if (bucket < this.armedFor) this.arm(bucket);
    return () => {
      if (members.delete(pending) && members.size === 0) this.buckets.delete(bucket);
      if (this.buckets.size === 0) this.disarm();
    };
  }

  /** Drops the timer; nothing expires any more. */
  close(): void {
    this.buckets.clear();
    this.disarm();
  }

  private arm(bucket: number): void {
    clearTimeout(this.timer);
    this.armedFor = bucket;
    // setTimeout counts in 32 bits and answers a larger delay at once.
    this.timer = setTimeout(() => this.expire(), Math.min(Math.max(1, bucket * grain - now()), 2 ** 31 - 1));
  }

  private disarm(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.armedFor = Infinity;
  }

  private expire(): void {
    const reached = Math.floor(now() / grain);
    this.disarm();
    const due = [...this.buckets].filter(([bucket]) => bucket <= reached);
    for (const [bucket, members] of due) {
      this.buckets.delete(bucket);
      for (const { expire } of members) expire();
      members.clear();
    }
    if (this.buckets.size > 0) this.arm(Math.min(...this.buckets.keys()));
  }
}

/** Calls `abort` when the signal aborts, until the returned function is called, which leaves as well. */
function abortable(signal: AbortSignal, leave: () => void, abort: () => void): () => void {
  signal.addEventListener('abort', abort, { once: true });
  return () => {
    leave();
    signal.removeEventListener('abort', abort);
  };
}

/** The error of a call whose signal aborted. */
export function aborted(signal: AbortSignal | undefined, what: string, detail: KvErrorDetail = {}): KvError {
  return new KvError('aborted', `${what}: aborted by the caller's signal`, { ...detail, cause: signal?.reason });
}

function now(): number {
  return performance.now();
}
