/** A tether: it keeps the process alive while somebody waits for a connection; an idle connection does not. */
import { Holders } from './holders.js';

interface Referable {
  ref(): unknown;
  unref(): unknown;
}

export interface TetherOptions {
  /** Whether somebody waits, besides those who hold it. */
  readonly busy: () => boolean;
  /** What has to do with the process besides the timer; some of it comes and goes. */
  readonly tied: () => readonly (Referable | undefined)[];
}

export class Tether {
  private readonly options: TetherOptions;
  private readonly holders: Holders = new Holders(() => this.mind());
  private holds = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: TetherOptions) {
    this.options = options;
  }

  /** Holds it until the function that is returned is called. */
  hold(): () => void {
    return this.holders.enter();
  }

  /** To be called whenever somebody begins to wait, or no longer waits. @param anew  whether there is more to tie */
  mind(anew = false): void {
    const holds = this.holders.any || this.options.busy();
    if (holds === this.holds && !anew) return;
    this.holds = holds;
    for (const each of [this.timer, ...this.options.tied()]) this.tie(each);
  }

  tie(what: Referable | undefined): void {
    if (this.holds) what?.ref();
    else what?.unref();
  }

  /** In so many ms, in place of what was to be then. */
  after(ms: number, then: () => void): void {
    this.stop();
    this.timer = setTimeout(then, ms);
    this.tie(this.timer);
  }

  /** What was to be is not. */
  stop(): void {
    clearTimeout(this.timer);
  }
}
