import type { ObservableInput, OperatorFunction } from 'rxjs';
import type { Leadership } from '../interface.js';
import { checkWork, during } from './during.js';

/**
 * Runs `work` exactly while this candidate leads, over `elect$`.
 *
 * ```
 * elect$  F----T-----------F#        F: { leading: false }, T: { leading: true, ... }
 *         whileLeading(() => work$)
 * work$        -a---b---c---d---
 * result  ------a---b---c---#
 * ```
 *
 * The work ends when the lock's signal aborts, which comes before any notification of loss; at
 * `{ leading: false }`, an error or the completion of the source (the store closed); and on unsubscribe, before
 * the leadership is given up. Nothing of it is emitted after that. Work that completes leaves this candidate
 * leading and the result silent. Work that fails gives the leadership up and errors the result.
 *
 * Put `retryTransient()` after it, never before.
 *
 * @throws KvError `invalid` for what is no function, when the operator is made
 * @example
 * store.elect$('scheduler', { id: hostname() })
 *   .pipe(whileLeading(({ fence }) => runSchedule$(fence)), retryTransient())
 *   .subscribe();
 */
export function whileLeading<R>(
  work: (leadership: Extract<Leadership, { leading: true }>) => ObservableInput<R>,
): OperatorFunction<Leadership, R> {
  checkWork('whileLeading()', work);
  return source => during(source, leadership => (leadership.leading ? { lock: leadership.lock, work: () => work(leadership) } : undefined));
}
