/** An affliction: what tests of faults need, and how long they may take. */
import type { MonoTypeOperatorFunction } from 'rxjs';
import type { KvErrorCode } from '../errors.js';
import { retryTransient } from '../operators/retry-transient.js';
import type { Context } from './context.js';
import type { Hook } from './harness.js';
import { type Needs, onTwo } from './topic.js';

/** Writer stays well, reader is the one that is cut off. */
export function afflicted(...hooks: Hook[]): Needs {
  return { ways: onTwo, faulty: true, hooks: [...hooks, 'heal'] };
}

/** ms beyond a deadline that a busy machine may take. */
export function slack({ harness }: Context): number {
  return 1000 * (harness.patience ?? 1);
}

/** What a call or a feed that cannot reach the server ends in. */
export const lostTouch: readonly KvErrorCode[] = ['unavailable', 'timeout', 'overloaded'];

/** Tries again soon, so that tests are short. */
export function patient<T>(): MonoTypeOperatorFunction<T> {
  return retryTransient<T>({ first: 30, most: 200 });
}
