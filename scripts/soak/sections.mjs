/** The sections that candidates went through under one lock: one at a time, none twice, none lost. */
export class Sections {
  acknowledged = 0;
  handovers = 0;
  /** Times that a candidate was told of its loss, or refused because of it. */
  lost = 0;
  #numbers = new Set();
  #open = new Map();
  #uncertain = 0;
  #last;
  #fault;

  constructor(fault) {
    this.#fault = fault;
  }

  heard({ name }, message) {
    if ('entering' in message) {
      // One that never said how it ended was killed in the midst of it, or told of its loss.
      if (this.#open.has(name)) this.#uncertain++;
      this.#open.set(name, message.entering);
    } else if ('lost' in message) this.lost++;
    else {
      this.#open.delete(name);
      if (this.#numbers.has(message.section)) this.#fault(`section ${message.section} of the lock was held twice`);
      this.#numbers.add(message.section);
      this.acknowledged++;
      if (this.#last !== undefined && this.#last !== name) this.handovers++;
      this.#last = name;
    }
  }

  /** The count in the store when all have ended. */
  check(count) {
    const most = this.acknowledged + this.#uncertain + this.#open.size;
    if (count < this.acknowledged || count > most) this.#fault(`the lock counted ${count}, of ${this.acknowledged} to ${most} sections`);
  }
}
