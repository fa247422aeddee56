/** A connection through the proxy: the client's socket, ours to the server, and what flows between them. */
import { type Socket, connect } from 'node:net';
import type { Direction, Ending, Faults } from './faults.js';
import { createFlow } from './lane.js';

export interface Link {
  /** The faults have changed. */
  changed(): void;
  /** Resets both sides. */
  cut(): void;
}

/** What a proxy counts over all its connections. */
export interface Tally {
  up: number;
  down: number;
  roundTrips: number;
}

export interface LinkOptions {
  readonly client: Socket;
  readonly target: { readonly host: string; readonly port: number };
  readonly faults: Faults;
  readonly tally: Tally;
  /** Both sides are gone. */
  readonly closed: () => void;
}

export function createLink({ client, target, faults, tally, closed }: LinkOptions): Link {
  const server = connect({ ...target, allowHalfOpen: true });
  client.setNoDelay(true);
  server.setNoDelay(true);
  let lifetime = faults.lifetime?.() ?? Number.POSITIVE_INFINITY;
  let last: Direction = 'down';

  const allow = (bytes: number): number => {
    const allowed = lifetime;
    lifetime -= bytes;
    return allowed;
  };
  const end = (ending: Ending): void => {
    if (ending === 'cut') return cut();
    // A socket that is closed with something unread would be reset.
    up.stop();
    down.stop();
    for (const socket of [client, server]) socket.end(() => socket.destroy());
  };
  const common = { allow, end } as const;
  const up = createFlow({
    ...common,
    from: client,
    to: server,
    lane: () => faults.up,
    passed(bytes) {
      tally.up += bytes;
      // Requests that are sent together, without an answer between them, are one trip.
      if (last === 'down') tally.roundTrips++;
      last = 'up';
    },
  });
  const down = createFlow({
    ...common,
    from: server,
    to: client,
    lane: () => faults.down,
    passed(bytes) {
      tally.down += bytes;
      last = 'down';
    },
  });
  const cut = (): void => {
    for (const socket of [client, server]) reset(socket);
  };
  const lost = new Set<Direction>();
  const tellLoss = (): void => {
    for (const direction of lost) if (!faults[direction].held) cut();
  };
  let open = 2;
  for (const [socket, direction] of [
    [client, 'up'],
    [server, 'down'],
  ] as const) {
    // A side that fails takes the other with it, as soon as the network lets the other know.
    socket.on('error', () => {
      lost.add(direction);
      tellLoss();
    });
    socket.once('close', () => {
      if (--open > 0) return;
      up.stop();
      down.stop();
      closed();
    });
  }
  return {
    changed() {
      tellLoss();
      up.changed();
      down.changed();
    },
    cut,
  };
}

/**
 * A reset at once. Node's own `resetAndDestroy()` shuts the socket down first, so that it waits for what was written to be
 * taken, which a peer that was stopped never does; and one that is being shut down it neither resets nor closes.
 */
function reset(socket: Socket): void {
  const shutting = socket.writableEnded && !socket.writableFinished;
  // What Node's own sets too, which its types do not know.
  if (!socket.connecting && !shutting) (socket as Socket & { resetAndClosing: boolean }).resetAndClosing = true;
  socket.destroy();
}
