/**
 * Deadlines: many promises that must settle in time, on one timer.
 *
 * A timer and an AbortController for each call cost more than an embedded read does; here a call takes its place at the
 * end of a list, and the timer looks through all of it when the first of them may be due. The timer outlives the calls, since
 * to set it and drop it again for each is most of what a deadline costs a lone one; without calls it keeps no process alive.
 */
import { leave, type Member } from './crowd.js';
import { KvError, type KvErrorDetail } from './errors.js';

/** ms: how much later than its deadline a call may be given up. */
const grain = 10;

/** A timer where it can be told whether to keep the process alive; those of a browser never do. */
type Timer = ReturnType<typeof setTimeout> & { ref?(): void; unref?(): void };

class Pending implements Member {
  /** `performance.now()` of its deadline. */
  readonly due: number;
  readonly expire: () => void;
  at: number;

  constructor(due: number, expire: () => void, at: number) {
    this.due = due;
    this.expire = expire;
    this.at = at;
  }
}

/** Gives up what takes too long. One instance for each driver; {@link Deadlines.close} when it ends. */
export class Deadlines {
  private readonly pending: Pending[] = [];
  private timer: Timer | undefined;
  private armedFor = Infinity;
  private closed = false;

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
    const pending = new Pending(performance.now() + timeout, expire, this.pending.length);
    this.pending.push(pending);
    if (pending.due < this.armedFor) this.arm(pending.due, timeout);
    else if (pending.at === 0) this.timer?.ref?.();
    return () => this.leave(pending);
  }

  /** What is under way has its deadline now. */
  expireAll(): void {
    this.expire(Infinity);
  }

  /** No timer is kept from now on but for what is under way. */
  close(): void {
    this.closed = true;
    if (this.pending.length === 0) this.disarm();
  }

  private leave(pending: Pending): void {
    if (!leave(this.pending, pending) || this.pending.length > 0) return;
    if (this.closed) this.disarm();
    else this.timer?.unref?.();
  }

  private arm(due: number, delay: number): void {
    clearTimeout(this.timer);
    this.armedFor = due;
    // Whole ms: Node keeps a list of timers for each other delay. It counts them in 32 bits and answers a larger one at once.
    this.timer = setTimeout(() => this.look(), Math.min(Math.max(1, Math.ceil(delay)), 2 ** 31 - 1));
  }

  private disarm(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.armedFor = Infinity;
  }

  private look(): void {
    const now = performance.now();
    this.disarm();
    this.expire(now);
    if (this.pending.length === 0) return;
    // Those that are due soon after one another are given up together.
    const next = Math.max(
      now + grain,
      this.pending.reduce((first, { due }) => Math.min(first, due), Infinity),
    );
    if (next < this.armedFor) this.arm(next, next - now);
  }

  private expire(now: number): void {
    const due = this.pending.filter(pending => pending.due <= now).sort((a, b) => a.due - b.due);
    for (const pending of due) {
      if (pending.at === -1) continue;
      this.leave(pending);
      pending.expire();
    }
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
