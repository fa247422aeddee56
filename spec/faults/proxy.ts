/**
 * A TCP proxy on loopback that stands between a client and a server, counts what passes, and has the faults of a network.
 *
 * It knows nothing of protocols: bytes, pieces and connections are all it sees.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, type Server as Door, type Socket, createServer } from 'node:net';
import { delay } from '../../src/delay.js';
import { type Direction, type Ending, type Faults, noFaults } from './faults.js';
import { type Link, type Tally, createLink } from './link.js';
import { randomFrom } from './random.js';

export interface Counts {
  /** Connections so far, and those open now. */
  readonly total: number;
  readonly open: number;
  /** Bytes that passed to the server and back. */
  readonly up: number;
  readonly down: number;
  /** Bursts to the server that came first or after something from the server: requests sent together are one. */
  readonly roundTrips: number;
}

export interface Proxy extends AsyncDisposable {
  /** host:port for the client. */
  readonly host: string;
  readonly port: number;
  /** As of now; two of them make a difference. */
  readonly counts: Counts;
  /** Resets every open connection. New ones are taken: see {@link Proxy.refuse}. */
  cut(): void;
  /**
   * Resets the connection that carries the byte after so many more in that direction, inside a frame if need be; the others
   * stay. Once. Node reports a reset that it reads together with the last bytes as an end: clients must mind the missing
   * bytes either way. Resolves with true when it has happened, with false when `heal` or the end of the proxy came first.
   */
  cutAfter(bytes: number, direction: Direction): Promise<boolean>;
  /** As {@link Proxy.cutAfter}, but the connection ends in good order, as that of a server which was shut down halfway. */
  truncateAfter(bytes: number, direction: Direction): Promise<boolean>;
  /**
   * Resets every connection that is opened from now on after a random number of bytes in both directions together, up to
   * `most`; the same numbers for the same seed, in the order in which connections are opened. Until `heal`.
   */
  cutAtRandom(seed: number, most: number): void;
  /**
   * Nothing passes, in one direction or both, until `heal`. Connections stay and new ones are taken; what is sent meanwhile
   * arrives after `heal`, as with a network that lost packets and sends them again.
   */
  blackhole(direction?: Direction | 'both'): void;
  /** What passes is so many ms on its way, in one direction or both; order stays. Until `heal`. */
  delay(ms: number, direction?: Direction | 'both'): void;
  /** New connections are refused until `heal`; open ones stay. Resolves when it is so. */
  refuse(): Promise<void>;
  /** No faults any more. Resolves when new connections are taken. */
  heal(): Promise<void>;
}

/**
 * Starts a proxy before `target` (host:port), on a free port, which stays its own; it listens when this returns.
 *
 * @example
 * await using proxy = startProxy(etcd.host);
 * const store = createStore(etcdDriver({ hosts: proxy.host }));
 * await proxy.refuse();
 * proxy.cut();
 */
export function startProxy(target: string): Proxy {
  const at = addressOf(target);
  const links = new Set<Link>();
  const faults: Faults = noFaults();
  const tally: Tally = { up: 0, down: 0, roundTrips: 0 };
  const unmet = new Set<() => void>();
  let total = 0;
  let ended = false;

  const take = (client: Socket): void => {
    if (!isLoopback(client.remoteAddress)) {
      client.destroy();
      return;
    }
    total++;
    const link = createLink({ client, target: at, faults, tally, closed: () => links.delete(link) });
    links.add(link);
  };
  let door: Door | undefined = openDoor(take);
  const { port } = door.address() as AddressInfo;

  const lanes = (direction: Direction | 'both'): ReturnType<typeof noFaults>['up'][] =>
    direction === 'both' ? [faults.up, faults.down] : [faults[direction]];
  const changed = (): void => {
    for (const link of links) link.changed();
  };
  const endAfter = (bytes: number, direction: Direction, ending: Ending): Promise<boolean> =>
    new Promise((resolve, reject) => {
      const lane = faults[direction];
      if (lane.limit !== undefined) return reject(new Error(`a connection is to end already, ${direction}`));
      const miss = (): void => resolve(false);
      unmet.add(miss);
      const reached = (): void => {
        unmet.delete(miss);
        resolve(true);
      };
      lane.limit = { left: bytes, ending, reached };
    });
  const close = (): Promise<void> => {
    const closing = door;
    door = undefined;
    closing?.close();
    // It stops listening at once; its own callback would wait for the connections that it took.
    return new Promise(resolve => setImmediate(resolve));
  };
  const mend = (): void => {
    Object.assign(faults, { lifetime: undefined });
    for (const lane of lanes('both')) Object.assign(lane, { held: false, delay: 0, limit: undefined });
    for (const miss of unmet) miss();
    unmet.clear();
  };
  const cut = (): void => {
    for (const link of links) link.cut();
  };

  return {
    host: `127.0.0.1:${port}`,
    port,
    get counts() {
      return { total, open: links.size, ...tally };
    },
    cut,
    cutAfter: (bytes, direction) => endAfter(bytes, direction, 'cut'),
    truncateAfter: (bytes, direction) => endAfter(bytes, direction, 'end'),
    cutAtRandom(seed, most) {
      const random = randomFrom(seed);
      faults.lifetime = () => 1 + Math.floor(random() * most);
    },
    blackhole(direction = 'both') {
      for (const lane of lanes(direction)) lane.held = true;
      changed();
    },
    delay(ms, direction = 'both') {
      for (const lane of lanes(direction)) lane.delay = ms;
    },
    refuse: close,
    async heal() {
      mend();
      changed();
      if (door !== undefined || ended) return;
      const opening = createDoor(take);
      door = opening;
      await listen(opening, port, () => door === opening);
    },
    async [Symbol.asyncDispose]() {
      ended = true;
      await close();
      cut();
      mend();
      // Sockets that were reset close in a later turn.
      while (links.size > 0) await new Promise(resolve => setImmediate(resolve));
      owned.delete(port);
    },
  };
}

// Below what kernels hand out for outgoing connections, and below the ports of servers (spec/servers/ports.ts), so that nobody
// takes the port of a proxy while its door is closed. For the same reason each process has a block of them to itself: that
// whose first port it listens on. (Numbers of vitest's workers would not do: two that run at once can have the same.)
const [first, end, block] = [10_000, 15_000, 100];
let claimed: number | undefined;
/** Those of proxies that have not ended. */
const owned = new Set<number>();

/** A door on a free port of this process, which listens when this returns. */
function openDoor(take: (client: Socket) => void): Door {
  claimed ??= claimBlock();
  for (let tries = 0; tries < 1000; tries++) {
    const port = claimed + randomInt(1, block);
    if (owned.has(port)) continue;
    const door = createDoor(take);
    if (!listensAt(door, port)) continue;
    owned.add(port);
    return door;
  }
  throw new Error(`no free port between ${claimed} and ${claimed + block}`);
}

/** The first port of a block that is no other process's until this one ends. */
function claimBlock(): number {
  for (let start = first; start < end; start += block) {
    if (listensAt(createServer(client => client.destroy()).unref(), start)) return start;
  }
  throw new Error(`no block of ${block} ports is free between ${first} and ${end}`);
}

/** Whether it listens there now: where a port is taken there is no address, and an error that comes later. */
function listensAt(server: Door, port: number): boolean {
  const taken = (): void => undefined;
  server.on('error', taken).listen(port);
  if (server.address() === null) return false;
  server.off('error', taken);
  return true;
}

/** Takes a port again that was ours. Whatever else has it by accident has some time to go, as long as the door is `wanted`. */
async function listen(door: Door, port: number, wanted: () => boolean): Promise<void> {
  for (let tries = 0; wanted(); tries++) {
    try {
      await once(door.listen(port), 'listening');
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || tries === 200) throw error;
      await delay(25);
    }
  }
}

/** Node listens at once only where no host is given, so on all addresses: strangers are turned away when they come. */
function createDoor(take: (client: Socket) => void): Door {
  return createServer({ allowHalfOpen: true }, take);
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(?:::ffff:)?127\.|^::1$/.test(address);
}

function addressOf(target: string): { host: string; port: number } {
  const { hostname, port } = new URL(`tcp://${target}`);
  return { host: hostname, port: Number(port) };
}
