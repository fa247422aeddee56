/** Endings: what teardowns start and cannot wait for, such as releases. close() and release() wait for them. */

export class Endings {
  private readonly running: Set<Promise<void>> = new Set();

  /** Takes note of work that goes on after its teardown; failures have been dealt with by then. */
  add(work: Promise<void>): void {
    const settled = work.catch(() => {}).finally(() => this.running.delete(settled));
    this.running.add(settled);
  }

  /** Runs a teardown and resolves when all that it started has ended. */
  async of(teardown: () => void): Promise<void> {
    const before = new Set(this.running);
    teardown();
    await Promise.all([...this.running].filter(work => !before.has(work)));
  }

  /** Resolves when nothing is ending any more. */
  async all(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
  }
}
