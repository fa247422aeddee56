/** A lock whose loss a test decides. */
import type { Lock } from '../../src/interface.js';

export interface FakeLock extends Lock {
  /** Aborts the signal, as a store does before anything else. */
  lose(): void;
  /** From now on `held` says false, and the signal says nothing: as just after a pause of the process. */
  lapse(): void;
  /** Listeners that the signal has. */
  listeners(): number;
}

export function fakeLock(fence = 1n): FakeLock {
  const controller = new AbortController();
  const { signal } = controller;
  let held = true;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>): void => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>): void => {
    listeners--;
    remove(...args);
  };
  return {
    key: 'job',
    fence,
    signal,
    get held() {
      return held;
    },
    lose() {
      held = false;
      controller.abort();
    },
    lapse() {
      held = false;
    },
    listeners: () => listeners,
  };
}
