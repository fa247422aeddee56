/** Holders: those for whom something is kept going, each until it lets go. */
export class Holders {
  private count = 0;
  private readonly changed: () => void;

  /** @param changed  told after each that came or went */
  constructor(changed: () => void) {
    this.changed = changed;
  }

  get any(): boolean {
    return this.count > 0;
  }

  /** One more; the function that is returned lets go, once. */
  enter(): () => void {
    let held = true;
    this.count++;
    this.changed();
    return () => {
      if (!held) return;
      held = false;
      this.count--;
      this.changed();
    };
  }
}
