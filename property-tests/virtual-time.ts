/** Virtual time for whole stores: every clock and timer that memory uses, and none that the test runner does. */
import { vi } from 'vitest';

/** Runs the body with time that stands still unless it is advanced. */
export async function inVirtualTime(body: (advance: (ms: number) => Promise<void>) => Promise<void>): Promise<void> {
  vi.useFakeTimers({ now: 1_000_000, toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] });
  try {
    await body(async ms => {
      await vi.advanceTimersByTimeAsync(ms);
    });
  } finally {
    vi.useRealTimers();
  }
}
