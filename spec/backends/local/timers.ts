/** Timers: which of those made by the code under test keep the process alive. */
import { vi } from 'vitest';

/**
 * Follows the timers that are made from now on, on real time.
 *
 * Not by what the process reports: the test runner has timers of its own that come and go.
 */
export class Keepers {
  private readonly live: Set<NodeJS.Timeout> = new Set();
  private readonly spies: { mockRestore(): void }[];

  constructor() {
    const { setTimeout: later, setInterval: each, clearTimeout: cancel } = globalThis;
    const follow = (timer: NodeJS.Timeout): NodeJS.Timeout => {
      this.live.add(timer);
      return timer;
    };
    const forget = (timer: unknown): void => {
      this.live.delete(timer as NodeJS.Timeout);
      cancel(timer as NodeJS.Timeout);
    };
    const once = (call: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): NodeJS.Timeout => {
      const timer = later(() => {
        this.live.delete(timer);
        call(...args);
      }, ms);
      return follow(timer);
    };
    const again = (call: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): NodeJS.Timeout => follow(each(call, ms, ...args));
    this.spies = [
      vi.spyOn(globalThis, 'setTimeout').mockImplementation(once as unknown as typeof setTimeout),
      vi.spyOn(globalThis, 'setInterval').mockImplementation(again as unknown as typeof setInterval),
      vi.spyOn(globalThis, 'clearTimeout').mockImplementation(forget),
      vi.spyOn(globalThis, 'clearInterval').mockImplementation(forget),
    ];
  }

  /** How many keep the process alive. */
  get count(): number {
    return [...this.live].filter(timer => timer.hasRef()).length;
  }

  restore(): void {
    for (const spy of this.spies) spy.mockRestore();
  }
}
