/** Trips: the round trips of a call that takes many, each of which has the timeout. */
import { Deadlines } from '../../deadline.js';
import type { Call } from '../../driver.js';
import { backend } from './errors.js';

/** Settles as the answer of a round trip does, or rejects once it is late. */
export type InTime = <T>(answer: Promise<T>) => Promise<T>;

export interface Trips {
  readonly read: InTime;
  /** What became of a late one is unknown. */
  readonly write: InTime;
}

/** Of a call that is kept in time as a whole. */
export const untimed: Trips = { read: answer => answer, write: answer => answer };

/** What gives up the trips of many calls. */
export class Clock {
  private readonly deadlines: Deadlines = new Deadlines();

  /** @param what  for the message: "list" */
  trips(call: Call, what: string): Trips {
    return {
      read: answer => this.deadlines.race(answer, call, what, { backend }),
      write: answer => this.deadlines.race(answer, call, what, { backend, outcome: 'unknown' }),
    };
  }

  close(): void {
    this.deadlines.close();
  }
}
