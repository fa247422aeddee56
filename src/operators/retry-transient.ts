import { defer, type MonoTypeOperatorFunction, retry, type Subscription, tap, timer } from 'rxjs';
import { invalid, KvError } from '../errors.js';
import { checkKnown } from '../known.js';
import { checkChoice } from './choice.js';

/** A retry that is about to be waited for. */
export interface Retry {
  readonly error: KvError;
  /** 1 for the first one after the start or after a healthy spell. */
  readonly attempt: number;
  /** ms until the source is subscribed again. */
  readonly delay: number;
}

export interface RetryOptions {
  /** ms of the first delay, before jitter; 500 */
  readonly first?: number;
  /** ms that no delay exceeds; 30 000, or `first` where that is longer */
  readonly most?: number;
  /** What a delay is multiplied by for the next; 2 */
  readonly factor?: number;
  /** ms that the source must live after its first value for the delay to fall back to `first`; 60 000 */
  readonly healthy?: number;
  /** `full`, the default: anything between 50 ms (or the delay, if shorter) and the delay. `none`: the delay itself. */
  readonly jitter?: 'full' | 'none';
  /** Told of each retry before its delay, for logs and metrics. What it throws ends the stream. */
  readonly onRetry?: (retry: Retry) => void;
  /** At least 0 and below 1; Math.random by default */
  readonly random?: () => number;
}

/**
 * Subscribes again, after a delay that grows, when the source fails with a transient KvError; every other error goes
 * on at once. Nothing is lost by it: every subscription of a store begins with the current state.
 *
 * ```
 * source  --a--#     ----#          --b--|
 *                retryTransient()
 *         --a-----500--------1000-----b--|
 * ```
 *
 * The delay falls back to `first` after a healthy spell and not after a first value: since every subscription
 * begins with a value, a server that answers once and fails would be asked without end otherwise.
 *
 * Put it before `diff()` and `deltas()`, whose memory must outlive an outage, and after `whileHeld()` and
 * `whileLeading()`, whose work must end at once.
 *
 * Unsubscribing during a delay ends the wait.
 *
 * @throws KvError `invalid` for an option that is unknown or out of range, when the operator is made
 * @example
 * store.watch$('config/colour').pipe(
 *   retryTransient({ onRetry: ({ error, delay }) => logger.warn(`again in ${delay} ms`, { code: error.code }) }),
 * ).subscribe(paint);
 */
export function retryTransient<T>(options: RetryOptions = {}): MonoTypeOperatorFunction<T> {
  checkKnown(options, names, 'retryTransient()');
  const { first = 500, factor = 2, healthy = 60_000, jitter = 'full', onRetry = () => {}, random = Math.random } = options;
  const { most = Math.max(30_000, first) } = options;
  checkNumber('first', first, 1, longestTimer);
  checkNumber('most', most, first, longestTimer);
  checkNumber('factor', factor, 1, Number.MAX_VALUE);
  checkNumber('healthy', healthy, 0, longestTimer);
  checkChoice('retryTransient()', 'jitter', jitter, ['full', 'none']);
  checkFunction('random', random);
  checkFunction('onRetry', onRetry);
  return source =>
    defer(() => {
      let failures = 0;
      let spell: Subscription | undefined;
      return source.pipe(
        tap({
          next: () => {
            spell ??= timer(healthy).subscribe(() => {
              failures = 0;
            });
          },
          finalize: () => {
            spell?.unsubscribe();
            spell = undefined;
          },
        }),
        retry({
          delay: (error: unknown) => {
            if (!KvError.is(error) || !error.transient) throw error;
            const longest = Math.min(most, first * factor ** failures);
            const delay = jitter === 'none' ? longest : Math.max(Math.min(shortest, longest), random() * longest);
            failures++;
            onRetry({ error, attempt: failures, delay });
            return timer(delay);
          },
        }),
      );
    });
}

// ms; full jitter may draw 0, and a source that fails at once would then spin.
const shortest = 50;

// ms; what a timer of Node and of browsers holds, beyond which it fires at once.
const longestTimer = 2_147_483_647;

const names = ['first', 'most', 'factor', 'healthy', 'jitter', 'onRetry', 'random'];

function checkNumber(option: string, value: number, least: number, most: number): void {
  if (typeof value === 'number' && value >= least && value <= most) return;
  const range = most === Number.MAX_VALUE ? `a finite number from ${least} on` : `a number from ${least} to ${most}`;
  throw invalid(`option ${option} of retryTransient() is ${range}`);
}

function checkFunction(option: string, value: unknown): void {
  if (typeof value !== 'function') throw invalid(`option ${option} of retryTransient() is a function`);
}
