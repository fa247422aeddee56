/** What is wrong with a proxy's network now. Links look at it for each piece that passes; the proxy changes it. */

/** `up`: from the client to the server; `down`: back. */
export type Direction = 'up' | 'down';

/** How a connection ends: `cut` with a reset, `end` in good order but too early. */
export type Ending = 'cut' | 'end';

/** A connection is ended by the piece that carries this byte. */
export interface Limit {
  /** Bytes that still pass. */
  left: number;
  readonly ending: Ending;
  /** It has happened. */
  reached(): void;
}

export interface Lane {
  /** Nothing passes; what was sent waits, as with a network that lost it and sends it again. */
  held: boolean;
  /** ms that each piece is on its way. */
  delay: number;
  /** Shared by all connections. */
  limit: Limit | undefined;
}

export interface Faults {
  readonly up: Lane;
  readonly down: Lane;
  /** Draws how many bytes the next connection may carry, in both directions, before it is cut. */
  lifetime: (() => number) | undefined;
}

export function noFaults(): Faults {
  const lane = (): Lane => ({ held: false, delay: 0, limit: undefined });
  return { up: lane(), down: lane(), lifetime: undefined };
}
