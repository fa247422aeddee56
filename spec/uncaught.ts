/** Takes what nobody catches away from the runner, which would not know whose it is, until it is told to stop. */
export function catchUncaught(tell: (error: unknown) => void): { stop(): void } {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const theirs = events.map(event => process.listeners(event as 'uncaughtException'));
  for (const event of events) process.removeAllListeners(event).on(event, tell);
  return {
    stop() {
      for (const [i, event] of events.entries()) {
        process.removeAllListeners(event);
        for (const listener of theirs[i] as NodeJS.UncaughtExceptionListener[]) process.on(event as 'uncaughtException', listener);
      }
    },
  };
}
