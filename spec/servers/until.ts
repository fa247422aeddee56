/** Waiting for a condition, and saying what was waited for when it never came. */
import { setTimeout as pause } from 'node:timers/promises';

export interface UntilOptions {
  /** ms; 20 000 */
  readonly within?: number;
  /** ms between two looks; 25 */
  readonly every?: number;
  /** Looked at before each try: what it throws ends the waiting. */
  readonly unless?: () => void;
}

/**
 * Resolves with the first answer of `probe` that is neither undefined nor false; an answer that fails counts as none.
 *
 * @throws Error naming `what`, with the last failure as its cause
 * @example
 * const leader = await until('a leader', () => cluster.leader());
 */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { within = 20_000, every = 25, unless }: UntilOptions = {},
): Promise<T> {
  const end = performance.now() + within;
  let cause: unknown;
  do {
    unless?.();
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      cause = error;
    }
    await pause(every);
  } while (performance.now() < end);
  const last = cause instanceof Error ? ` (last: ${cause.message})` : '';
  throw new Error(`waited ${within} ms for ${what}, in vain${last}`, { cause });
}
