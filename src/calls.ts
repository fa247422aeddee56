/** Calls: what every one-shot has in common. Checked at the door, abortable, drained at close. */
import { leave, type Member } from './crowd.js';
import type { Call } from './driver.js';
import { aborted } from './deadline.js';
import { timeable } from './delay.js';
import { asKvError, KvError } from './errors.js';
import type { CallOptions } from './interface.js';
import { checkKnown } from './known.js';
import type { StatusTracker } from './status.js';

class Pending implements Member {
  readonly write: boolean;
  reject: (error: KvError) => void;
  at: number;

  constructor(write: boolean, reject: (error: KvError) => void, at: number) {
    this.write = write;
    this.reject = reject;
    this.at = at;
  }
}

/** What a call is, for its messages and its outcome. */
export interface CallKind {
  readonly name: string;
  readonly write: boolean;
  /** The options it knows. */
  readonly options: readonly string[];
}

const callOptions = ['signal', 'timeout'];
const readOptions = [...callOptions, 'consistency'];

/** A call that reads. */
export function reading(name: string, more: readonly string[] = []): CallKind {
  return { name, write: false, options: [...readOptions, ...more] };
}

/** A call that neither reads nor writes keys. */
export function asking(name: string): CallKind {
  return { name, write: false, options: callOptions };
}

/** A call that writes. */
export function writing(name: string, more: readonly string[] = []): CallKind {
  return { name, write: true, options: [...callOptions, ...more] };
}

export class Calls {
  private readonly backend: string;
  private readonly usual: Call;
  private readonly status: StatusTracker;
  private readonly pending: Pending[] = [];
  private drained: (() => void) | undefined;
  private closing = false;

  constructor(backend: string, timeout: number, status: StatusTracker) {
    this.backend = backend;
    this.usual = { timeout };
    this.status = status;
  }

  /**
   * Runs one call. Rejects with what `work` throws or rejects with, as a KvError; with `aborted` or `closed`
   * besides, which say `outcome: 'unknown'` of a write that may have been sent.
   */
  run<T>(kind: CallKind, options: CallOptions | undefined, work: (call: Call) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      try {
        if (this.closing) throw closedError(this.backend, kind.name);
        const call = options === undefined ? this.usual : this.checked(kind, options);
        if (call.signal?.aborted === true) throw aborted(call.signal, kind.name, { backend: this.backend });
        this.status.asking();
        this.follow(work(call), kind, call.signal, resolve, reject);
      } catch (error) {
        reject(asKvError(error, { backend: this.backend }));
      }
    });
  }

  private follow<T>(
    answer: Promise<T>,
    kind: CallKind,
    signal: AbortSignal | undefined,
    resolve: (result: T) => void,
    reject: (error: KvError) => void,
  ): void {
    const pending = new Pending(kind.write, reject, this.pending.length);
    this.pending.push(pending);
    if (signal !== undefined) this.heed(signal, kind, pending, answer);
    answer.then(
      result => {
        this.leave(pending);
        this.status.live();
        resolve(result);
      },
      (error: unknown) => {
        this.leave(pending);
        const known = asKvError(error, { backend: this.backend });
        this.status.failed(known);
        reject(known);
      },
    );
  }

  /** Rejects a pending call when its signal aborts. */
  private heed(signal: AbortSignal, { name, write }: CallKind, pending: Pending, answer: Promise<unknown>): void {
    const { reject } = pending;
    const abort = (): void => pending.reject(aborted(signal, name, this.unanswered(write)));
    const ignore = (): void => signal.removeEventListener('abort', abort);
    pending.reject = error => {
      ignore();
      this.leave(pending);
      reject(error);
    };
    signal.addEventListener('abort', abort, { once: true });
    answer.then(ignore, ignore);
  }

  private leave(pending: Pending): void {
    if (leave(this.pending, pending) && this.pending.length === 0) this.drained?.();
  }

  /** No more calls; resolves when those in flight have settled, or been given up after `patience` ms. */
  async close(patience: number): Promise<void> {
    this.closing = true;
    if (this.pending.length === 0) return;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, patience);
      this.drained = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    for (const pending of [...this.pending]) {
      pending.reject(new KvError('closed', 'the store was closed before the answer came', this.unanswered(pending.write)));
    }
  }

  private unanswered(write: boolean): { backend: string; outcome?: 'unknown' } {
    return write ? { backend: this.backend, outcome: 'unknown' } : { backend: this.backend };
  }

  private checked(kind: CallKind, options: CallOptions & { consistency?: unknown }): Call {
    checkKnown(options, kind.options, kind.name);
    const { timeout, signal, consistency } = options;
    if (timeout !== undefined) checkDuration(timeout, 'timeout');
    if (signal !== undefined) checkSignal(signal);
    if (consistency !== undefined && consistency !== 'strong' && consistency !== 'stale') {
      throw new KvError('invalid', 'consistency is "strong" or "stale"');
    }
    return { timeout: timeout === undefined ? this.usual.timeout : timeable(timeout), ...(signal === undefined ? {} : { signal }) };
  }
}

/** By its parts and not by its class: a polyfill's and another realm's are signals too. @throws KvError `invalid` */
export function checkSignal(signal: AbortSignal): void {
  const { aborted: state, addEventListener, removeEventListener } = (signal ?? {}) as Partial<AbortSignal>;
  if (typeof state !== 'boolean' || typeof addEventListener !== 'function' || typeof removeEventListener !== 'function')
    throw new KvError('invalid', 'signal is not an AbortSignal');
}

/** @throws KvError `invalid` unless it is a number of ms over 0 */
export function checkDuration(ms: number, name: string): void {
  if (typeof ms !== 'number' || !(ms > 0)) throw new KvError('invalid', `${name} is a number of ms over 0`);
}

export function closedError(backend: string, what: string): KvError {
  return new KvError('closed', `${what}: the store is closed`, { backend });
}
