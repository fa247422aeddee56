import type { ObservableInput, OperatorFunction } from 'rxjs';
import type { Lock } from '../interface.js';
import { checkWork, during } from './during.js';

/**
 * Runs `work` exactly while the lock is held, over `lock$`.
 *
 * ```
 * lock$  ----L-----------------#
 *        whileHeld(() => work$)
 * work$      -a---b---c---d---e---
 * result -----a---b---c---d----#
 * ```
 *
 * The work ends when the lock's signal aborts, which comes before any notification of loss; at an error of the
 * source, before it is passed on; at its completion (the store closed), with which the result completes; and on
 * unsubscribe, before the lock is released. Nothing of it is emitted after that. Work that completes leaves the
 * lock held and the result silent: `pipe(whileHeld(...), take(1))` gives the lock back after a first value. Work
 * that fails releases and errors the result.
 *
 * Put `retryTransient()` after it, never before: a retry before it hides the loss from the work.
 *
 * @throws KvError `invalid` for what is no function, when the operator is made
 * @example
 * store.lock$('backup').pipe(whileHeld(lock => backup$(lock.fence)), retryTransient()).subscribe();
 */
export function whileHeld<R>(work: (lock: Lock) => ObservableInput<R>): OperatorFunction<Lock, R> {
  checkWork('whileHeld()', work);
  return source => during(source, lock => ({ lock, work: () => work(lock) }));
}
