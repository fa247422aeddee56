/** A recording: all that an Observable said so far, and waiting for what it says next. */
import type { Observable, Subscription } from 'rxjs';
import { KvError, type KvErrorCode } from '../errors.js';
import { told, until } from './waiting.js';

export class Recording<T> {
  readonly values: T[] = [];
  /** When each value came, in ms of performance.now(). */
  readonly times: number[] = [];
  error: unknown;
  completed = false;
  /** When the stream errored or completed. */
  endedAt: number | undefined;
  private read = 0;
  private readonly limit: number;
  private readonly subscription: Subscription;

  /** @param limit ms that each wait may take */
  constructor(source: Observable<T>, limit: number) {
    this.limit = limit;
    this.subscription = source.subscribe({
      next: value => {
        this.values.push(value);
        this.times.push(performance.now());
      },
      error: (error: unknown) => {
        this.error = error;
        this.endedAt = performance.now();
      },
      complete: () => {
        this.completed = true;
        this.endedAt = performance.now();
      },
    });
  }

  get last(): T | undefined {
    return this.values.at(-1);
  }

  get ended(): boolean {
    return this.completed || this.error !== undefined;
  }

  /** The first value that fits among those not yet passed over by an earlier `next`. */
  async next(fits: (value: T) => boolean, reason: string): Promise<T> {
    let found: T | undefined;
    const seek = (): boolean => {
      while (this.read < this.values.length) {
        const value = this.values[this.read++] as T;
        if (!fits(value)) continue;
        found = value;
        return true;
      }
      if (this.ended) throw new Error(`the stream ended before ${reason}: ${this.completed ? 'completed' : told(this.error)}`);
      return false;
    };
    await until(seek, `${reason} (${this.values.length} values came)`, this.limit);
    return found as T;
  }

  /** The very next value, whatever it is. */
  async first(reason: string): Promise<T> {
    return this.next(() => true, reason);
  }

  /** The error the stream ends in; any other end is a failure. */
  async fails(codes: KvErrorCode | readonly KvErrorCode[], reason: string, limit: number = this.limit): Promise<KvError> {
    const wanted = typeof codes === 'string' ? [codes] : codes;
    await until(() => this.ended, `${reason}: an error ${wanted.join(' or ')}`, limit);
    if (KvError.is(this.error) && wanted.includes(this.error.code)) return this.error;
    throw new Error(`${reason}: expected the error ${wanted.join(' or ')}, but ${this.completed ? 'it completed' : told(this.error)}`);
  }

  async completes(reason: string): Promise<void> {
    await until(() => this.ended, reason, this.limit);
    if (!this.completed) throw new Error(`${reason}: expected completion, but ${told(this.error)}`);
  }

  unsubscribe(): void {
    this.subscription.unsubscribe();
  }
}
