/** Foreign records: what others keep below a root that is no key of ours. They are left out, counted, and the first is told of. */
import type { Logger } from './logger.js';

/** How many are remembered by name, so that each is counted once. */
const most = 1000;

export class Foreign {
  private readonly backend: string;
  private readonly logger: Pick<Logger, 'warn'>;
  private readonly what: string;
  private readonly names: Set<string> = new Set();

  /** @param what  they are: "no valid key" */
  constructor(backend: string, logger: Pick<Logger, 'warn'>, what = 'no valid key') {
    this.backend = backend;
    this.logger = logger;
    this.what = what;
  }

  /**
   * Takes note of one.
   *
   * @param relative  to the root, as the logger is told it
   * @param name  by which it is counted, where several may look like that
   */
  note(relative: string, name: string = relative): void {
    if (this.names.size === 0)
      this.logger.warn(`${this.backend}: records below the root that are ${this.what} are left out`, { first: relative });
    if (this.names.size < most) this.names.add(name);
  }

  /** How many were met so far, up to 1000. */
  get count(): number {
    return this.names.size;
  }

  /** As health() has them. */
  get warnings(): string[] {
    const { count, what } = this;
    if (count === 0) return [];
    return [`${count === 1 ? '1 record below the root is' : `${count} records below the root are`} ${what} and left out`];
  }
}
