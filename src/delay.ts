/** A delay of any length: timers count in 32 bits and fire at once when asked for more. */
import { type Observable, switchMap, timer } from 'rxjs';

const longest = 2 ** 31 - 1;

/**
 * The ms, or half of what a timer holds (12 days) where they are more, Infinity among them: for what goes to drivers and
 * their clients, whose timers fire at once when asked for more than they hold.
 */
export function timeable(ms: number): number {
  return Math.min(ms, 2 ** 30);
}

/** Emits once after `ms`, however many; never where that is Infinity, though its timer keeps the process alive. */
export function after$(ms: number): Observable<unknown> {
  return ms <= longest ? timer(ms) : timer(longest).pipe(switchMap(() => after$(ms - longest)));
}

/** Resolves after `ms`, for those who wait between two tries of a request; less than 25 days. */
export function delay(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms);
  });
}
