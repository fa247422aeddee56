/** Waiting: for a condition with its reason, never for a time. */
import { firstValueFrom, from, map, race, timer } from 'rxjs';
import { KvError, type KvErrorCode } from '../errors.js';

/**
 * Resolves once the condition holds; asked every few ms.
 *
 * @param reason what was waited for, for the failure: `the waiter to be told`
 * @param limit ms
 */
export async function until(condition: () => boolean | Promise<boolean>, reason: string, limit = 5000): Promise<void> {
  const deadline = performance.now() + limit;
  // The last word is the condition's: a busy machine may have let the time pass before we could ask.
  for (let last = false; !(await settles(Promise.resolve(condition()), `an answer about ${reason}`, limit + 1000)); ) {
    if (last) throw new Error(`waited ${Math.round(limit)} ms in vain for ${reason}`);
    last = performance.now() > deadline;
    await firstValueFrom(timer(4));
  }
}

/** The promise's own result, or a failure that says what did not settle in time. */
export async function settles<T>(promise: Promise<T>, reason: string, limit = 5000): Promise<T> {
  const late$ = timer(limit).pipe(
    map((): never => {
      throw new Error(`waited ${Math.round(limit)} ms in vain for ${reason}`);
    }),
  );
  return firstValueFrom(race(from(promise), late$));
}

/**
 * A short spell in which something must not happen. For absences only: no condition tells that nothing comes.
 *
 * @param reason what must not happen meanwhile; for the reader
 */
export async function quietFor(ms: number, reason: string): Promise<void> {
  if (reason === '') throw new Error('a quiet spell has a reason');
  await firstValueFrom(timer(ms));
}

/** The KvError with that code that the call rejects with; anything else is a failure. */
export async function refused(call: () => Promise<unknown>, codes: KvErrorCode | readonly KvErrorCode[], what: string): Promise<KvError> {
  const wanted = typeof codes === 'string' ? [codes] : codes;
  const promise = started(call, what);
  const outcome = await promise.then(
    () => 'it resolved',
    (error: unknown) => error,
  );
  if (KvError.is(outcome) && wanted.includes(outcome.code)) return outcome;
  throw new Error(`${what}: expected a rejection with ${wanted.join(' or ')}, but ${told(outcome)}`, { cause: outcome });
}

/** An error or a note, in words. */
export function told(outcome: unknown): string {
  if (KvError.is(outcome)) return `got ${outcome.code}: ${outcome.message}`;
  if (outcome instanceof Error) return `got ${outcome.name}: ${outcome.message}`;
  return String(outcome);
}

/** Promise methods always reject: one that throws instead is a failure of its own. */
function started(call: () => Promise<unknown>, what: string): Promise<unknown> {
  try {
    return call();
  } catch (error) {
    throw new Error(`${what}: the call threw instead of rejecting, with ${told(error)}`, { cause: error });
  }
}
