/**
 * Slots: how many queries of this process may block on one agent.
 *
 * Each has a connection, of which an agent takes 200 from one address and refuses every further one, of puts as well. A
 * query that is given up keeps its connection on the agent's side until its wait is over.
 */

/** What one query took. */
export interface Slot {
  /** Gives it back, after so many ms. */
  release(after: number): void;
}

export class Slots {
  private static readonly all: Map<string, Slots> = new Map();
  private taken = 0;

  /** Those of one agent, which all stores of the process share. */
  static of(host: string): Slots {
    let slots = Slots.all.get(host);
    if (slots === undefined) Slots.all.set(host, (slots = new Slots()));
    return slots;
  }

  /** undefined where `most` are taken. */
  take(most: number): Slot | undefined {
    if (this.taken >= most) return undefined;
    this.taken++;
    return {
      release: after => {
        if (after <= 0) this.taken--;
        // A process need not live for it.
        else setTimeout(() => this.taken--, after).unref();
      },
    };
  }
}
