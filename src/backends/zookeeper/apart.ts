/** Runs what belongs to others, who must not break what called them: what it throws is thrown in a turn of its own. */
export function apart(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
