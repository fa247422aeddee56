/**
 * A cluster: its masters, which slots each has, and the change to others when one fails or a slot moves.
 *
 * Not ioredis' own: that sends a write again whose connection broke.
 */
import { delay } from '../../delay.js';
import { KvError } from '../../errors.js';
import { closedError } from '../../running.js';
import { isPassing, leavesTime } from '../../failure.js';
import type { Client, Reply } from './client.js';
import { backend } from './errors.js';
import type { Request, Server } from './server.js';
import { slotOf } from './slot.js';

/** ms for one node to say who has which slots. */
const mapTimeout = 1000;
/** ms: asked no more often than that. */
const mapPause = 100;
const mostMoves = 16;

export interface ClusterOptions {
  /** `host:port` of some nodes */
  readonly seeds: readonly string[];
  /** `host:port` as nodes tell it, to `host:port` as it is dialled */
  readonly natMap: ReadonlyMap<string, string>;
  readonly make: (host: string) => Server;
}

export class Cluster {
  private readonly seeds: readonly string[];
  private readonly natMap: ReadonlyMap<string, string>;
  private readonly make: (host: string) => Server;
  private readonly servers: Map<string, Server> = new Map();
  /** host:port by slot; empty before the first look. */
  private owners: string[] = [];
  /** host:port of masters that serve no slot, or none yet. */
  private idle: readonly string[] = [];
  private looking: Promise<void> | undefined;
  private nodes: Map<string, unknown> = new Map();
  private lookedAt = -Infinity;
  private closed = false;

  constructor({ seeds, natMap, make }: ClusterOptions) {
    this.seeds = seeds;
    this.natMap = natMap;
    this.make = make;
  }

  /** By host:port, the connections to the nodes that were needed so far. */
  get native(): unknown {
    const natives = [...this.servers].flatMap(([host, { native }]) => (native === undefined ? [] : [[host, native] as const]));
    return natives.length === 0 ? undefined : this.remembered(new Map(natives));
  }

  get host(): string {
    return this.owners[0] ?? (this.seeds[0] as string);
  }

  async call<T>(name: string, request: Request<T>): Promise<T> {
    const slot = slotOf(name);
    const began = performance.now();
    const left = (): number => request.timeout - (performance.now() - began);
    let host: string | undefined;
    let asking = false;
    let moves = 0;
    for (;;) {
      if (host === undefined) host = await this.ownerOf(slot, left());
      const told: { redirect?: string } = {};
      const send = this.sender(request, asking, told);
      try {
        return await this.server(host).call({ send, repeatable: false, timeout: Math.max(1, left()), once: true });
      } catch (error) {
        if (this.closed) throw closedError(backend);
        const moved = /^(MOVED|ASK) \d+ (\S+)/.exec(told.redirect ?? '');
        const halved = moved?.[1] === 'ASK' && request.whole === true;
        if (moved !== null && !halved && moves++ < mostMoves && left() > 0) {
          asking = moved[1] === 'ASK';
          host = this.dialled(nameOf(moved[2] as string, host));
          if (!asking) this.stale();
          continue;
        }
        // Nobody is to be told of a redirection that is not followed: it passes.
        const known = moved === null ? (error as KvError) : onItsWay();
        const again = KvError.is(known) && isPassing(known) && (request.repeatable || known.outcome === undefined);
        if (!again || !leavesTime(left(), mapPause)) throw request.repeatable ? withoutOutcome(known) : known;
        this.stale();
        moves = 0;
        asking = false;
        host = undefined;
        await delay(mapPause);
      }
    }
  }

  async of(name: string, timeout: number): Promise<Server> {
    return this.server(await this.ownerOf(slotOf(name), timeout));
  }

  async masters(timeout: number, fresh = false): Promise<readonly Server[]> {
    if (fresh || this.owners.length === 0 || this.lookedAt === -Infinity) await this.look(timeout);
    return [...new Set([...this.owners, ...this.idle])].map(host => this.server(host));
  }

  suspect(): void {
    for (const server of this.servers.values()) server.suspect();
  }

  close(): void {
    this.closed = true;
    for (const server of this.servers.values()) server.close();
  }

  /** The same map as long as it says the same. */
  private remembered(nodes: Map<string, unknown>): Map<string, unknown> {
    const same = nodes.size === this.nodes.size && [...nodes].every(([host, native]) => this.nodes.get(host) === native);
    if (!same) this.nodes = nodes;
    return this.nodes;
  }

  private sender<T>({ send }: Request<T>, asking: boolean, told: { redirect?: string }): (client: Client) => Promise<T> {
    return client => {
      if (asking) client.call('ASKING').catch(() => undefined);
      return send(client).catch((error: unknown) => {
        if (error instanceof Error && /^(?:MOVED|ASK) /.test(error.message)) told.redirect = error.message;
        throw error;
      });
    };
  }

  private server(host: string): Server {
    let server = this.servers.get(host);
    if (server === undefined) {
      if (this.closed) throw closedError(backend);
      this.servers.set(host, (server = this.make(host)));
    }
    return server;
  }

  private dialled(host: string): string {
    return this.natMap.get(host) ?? host;
  }

  private async ownerOf(slot: number, timeout: number): Promise<string> {
    if (this.owners[slot] === undefined || this.lookedAt === -Infinity) await this.look(timeout);
    const owner = this.owners[slot];
    if (owner === undefined) throw new KvError('unavailable', 'no node of the cluster serves this slot', { backend });
    return owner;
  }

  /** What is known of the slots is not to be relied on any more. */
  private stale(): void {
    this.lookedAt = -Infinity;
  }

  private look(timeout: number): Promise<void> {
    this.looking ??= this.ask(Math.min(timeout, mapTimeout)).finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  private async ask(timeout: number): Promise<void> {
    const hosts = [...new Set([...this.owners, ...this.seeds])];
    let failure: unknown;
    // The first who answers is believed; those that are gone keep nobody waiting.
    const answers = hosts.map(async host => {
      try {
        const reply = await this.server(host).call({
          // Who may not ask for the nodes misses what is on its way to one that serves no slot yet.
          send: client => Promise.all([client.call('CLUSTER', 'SLOTS'), client.call('CLUSTER', 'NODES').catch(() => '')]),
          repeatable: true,
          timeout,
          once: true,
        });
        return { host, slots: reply[0] as readonly Reply[], nodes: String(reply[1]) };
      } catch (error) {
        failure ??= error;
        throw error;
      }
    });
    try {
      const { host, slots, nodes } = await Promise.any(answers);
      this.idle = await this.answering(
        idleIn(nodes).map(address => this.dialled(nameOf(address, host))),
        timeout,
      );
      this.take(host, slots);
    } catch {
      throw failure;
    }
  }

  /** Nothing is served by those that we cannot reach, and nobody is to wait for them. */
  private async answering(hosts: readonly string[], timeout: number): Promise<string[]> {
    const answers = hosts.map(async host => {
      const asked = this.server(host).call({ send: client => client.call('PING'), repeatable: true, timeout, once: true });
      return asked.then(
        () => [host],
        () => [],
      );
    });
    return (await Promise.all(answers)).flat();
  }

  private take(from: string, reply: readonly Reply[]): void {
    const owners: string[] = [];
    for (const range of reply) {
      const [first, last, master] = range as readonly [number, number, readonly Reply[]];
      const host = this.dialled(nameOf(`${String(master[0] ?? '')}:${String(master[1])}`, from));
      for (let slot = first; slot <= last; slot++) owners[slot] = host;
    }
    this.owners = owners;
    this.lookedAt = performance.now();
  }
}

/** The addresses of masters that are well and serve no slot: one may have keys of a slot that is on its way to it. */
function idleIn(nodes: string): string[] {
  return nodes.split('\n').flatMap(line => {
    const [, address = '', flags = '', , , , , link, ...slots] = line.split(' ');
    const well = /\bmaster\b/.test(flags) && !/fail|handshake|noaddr/.test(flags) && link === 'connected';
    return well && slots.every(slot => slot.startsWith('[')) ? [address.replace(/@.*/, '')] : [];
  });
}

/** A node that does not know its own address names it without one. */
function nameOf(address: string, from: string): string {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon) || from.slice(0, from.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  return `${host.includes(':') ? `[${host}]` : host}:${address.slice(colon + 1)}`;
}

function onItsWay(): KvError {
  return new KvError('unavailable', 'the slot is on its way to another node', { backend });
}

function withoutOutcome(error: KvError): KvError {
  if (!KvError.is(error) || error.outcome === undefined) return error;
  return new KvError(error.code, error.message, { backend, cause: error.cause });
}
