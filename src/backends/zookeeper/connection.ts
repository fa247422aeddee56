/**
 * A connection: the package's own manager of one session, with what it lacks and without what it gets wrong.
 *
 * It takes the place of the stock one before the client connects, and serves the client's own calls as well. A peer that
 * says nothing is left for the next host; what is queued always hears how it went; requests of ours go with the rest.
 */
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { Frames, Reader } from './buffers.js';
import { Fault } from './errors.js';
import { authFrame, helloFrame, portions } from './greeting.js';
import type { Manager, ManagerClass, Package, Packet } from './package.js';
import { Pulse } from './pulse.js';
import { StockAnswers } from './stock.js';
import { code, opcode, Request, setWatches, xids } from './wire.js';

/** Told of what happens to the connection. */
export interface Listener {
  /** The session is live on a server, for the first time or again. */
  established(): void;
  /** The connection was lost, or could not be made. */
  cut(): void;
  /** TLS with this server cannot be had, and trying again will not help. */
  refused?(fault: Fault): void;
  /** The session is over: nothing more comes. */
  ended(): void;
  /** Something was heard since this was said last. */
  alive(): void;
  /** @param at  its place among all messages that were received */
  event(type: number, path: string, at: number): void;
}

export interface ConnectionSettings {
  readonly hosts: readonly string[];
  readonly tls: ConnectionOptions | undefined;
  /** ms that one host may take to connect and greet us. */
  readonly patience: number;
  /** ms after which a peer that says nothing is left; it is pinged four times as often. */
  readonly silence: number;
  /** Persistent watches, by path, and whether they are of all below it: set again on every new connection. */
  readonly trees: ReadonlyMap<string, boolean>;
  readonly listener: Listener;
}

export interface Answer<T> {
  readonly value: T;
  /** Where the server was when it answered. */
  readonly zxid: bigint;
  /** Its place among all messages that were received: who awaits it hears of it later than of an event behind it. */
  readonly at: number;
}

export interface Connection extends Manager {
  readonly host: string;
  readonly negotiated: number;
  /** @param deadline by performance.now(): from then on it is not sent any more, and fails with `code.unsent` */
  send<T>(request: Request<T>, deadline?: number): Promise<Answer<T>>;
  /** Resolves with its answer, rejects when the connection is lost before that. */
  ping(): Promise<void>;
  /** Keeps the process alive until the function that is returned is called. */
  hold(): () => void;
}

export type ConnectionClass = new (
  connectionString: string,
  options: object,
  stateListener: (state: number) => void,
  settings: ConnectionSettings,
) => Connection;

/** ms of a pause once every host has failed, growing to the most. */
const firstPause = 25;
const longestPause = 1000;
/** ms that a server may take to take leave of us. */
const farewell = 500;

/** How many messages were received, by whichever connection. */
let received = 0;

/** The place of the last message among all that were received. */
export function lastReceived(): number {
  return received;
}

const classes: WeakMap<Package, ConnectionClass> = new WeakMap();

/** The class on top of the package's own, which is known once the package is loaded. */
export function connectionClass(stock: Package): ConnectionClass {
  let made = classes.get(stock);
  if (made === undefined) classes.set(stock, (made = makeClass(stock)));
  return made;
}

function makeClass(stock: Package): ConnectionClass {
  const Base: ManagerClass = stock.ConnectionManager;
  const states = Base.STATES;
  const answers = new StockAnswers(stock);

  return class extends Base implements Connection {
    private readonly settings: ConnectionSettings;
    private readonly frames: Frames = new Frames();
    private readonly pulse: Pulse;
    private failures = 0;
    private holders = 0;
    private busy = false;
    private flushing = false;
    /** Whether a server knows of the session on this connection. */
    private greeted = false;
    private timer: NodeJS.Timeout | undefined;

    constructor(connectionString: string, options: object, stateListener: (state: number) => void, settings: ConnectionSettings) {
      super(connectionString, options, stateListener);
      this.settings = settings;
      this.pulse = new Pulse(settings.silence, () => settings.listener.alive());
      // Its own parser knows no IPv6, and takes whatever follows a colon for a port.
      this.servers = settings.hosts.map(serverOf);
      this.nextServerIndex = Math.floor(Math.random() * this.servers.length);
      this.xid = 1;
    }

    get host(): string {
      const { length } = this.servers;
      return this.settings.hosts[(this.nextServerIndex + length - 1) % length] as string;
    }

    get negotiated(): number {
      return this.sessionTimeout;
    }

    override connect(): void {
      if (this.isOver() || this.state === states.CLOSING) return;
      this.setState(states.CONNECTING);
      const rounds = Math.floor(this.failures / this.servers.length);
      const pause = rounds === 0 ? 0 : Math.min(longestPause, firstPause * 2 ** rounds) * (0.5 + Math.random() / 2);
      this.after(pause, () => this.open());
    }

    override close(): void {
      if (this.isOver() || this.state === states.CLOSING) return;
      const { greeted, socket } = this;
      this.setState(states.CLOSING);
      if (greeted && socket !== undefined) {
        this.packetQueue.push({
          request: new Request(
            opcode.close,
            () => undefined,
            () => undefined,
          ),
          callback: () => undefined,
        });
        this.after(farewell, () => socket.destroy());
      } else {
        clearTimeout(this.timer);
        if (socket === undefined) process.nextTick(() => this.finish(code.connectionLoss));
        // One that is on its way out has yet to say so, and that is the end; an end before it would be no end.
        else socket.destroy();
      }
    }

    send<T>(request: Request<T>, deadline = Infinity): Promise<Answer<T>> {
      return new Promise((resolve, reject) => {
        const packet: Timed = {
          request,
          deadline,
          callback: (error, answer) => (error === null ? resolve(answer as Answer<T>) : reject(error)),
        };
        if (this.isOver()) reject(new Fault(this.lastCode()));
        else if (this.state === states.CLOSING) reject(new Fault(code.unsent));
        else this.packetQueue.push(packet);
      });
    }

    ping(): Promise<void> {
      return this.pulse.ping();
    }

    hold(): () => void {
      this.holders++;
      this.mind();
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        this.holders--;
        this.mind();
      };
    }

    /** Called by the queue whenever something was put into it, and by the socket when it has room. */
    override onPacketQueueReadable(): void {
      this.mind();
      if (this.flushing || !this.greeted) return;
      this.flushing = true;
      // What is asked for in one go travels together.
      process.nextTick(() => {
        this.flushing = false;
        this.flush();
      });
    }

    private isOver(): boolean {
      const { state } = this;
      return state === states.CLOSED || state === states.SESSION_EXPIRED || state === states.AUTHENTICATION_FAILED;
    }

    private lastCode(): number {
      if (this.state === states.SESSION_EXPIRED) return code.sessionExpired;
      return this.state === states.AUTHENTICATION_FAILED ? code.authFailed : code.unsent;
    }

    private open(): void {
      if (this.state !== states.CONNECTING) return;
      const { tls, patience } = this.settings;
      this.nextServerIndex %= this.servers.length;
      const { host, port } = this.servers[this.nextServerIndex++] as { host: string; port: number };
      const named = isIP(host) === 0 ? { servername: host } : {};
      const socket: Socket = tls === undefined ? connectPlain({ host, port }) : connectTls({ host, port, ...named, ...tls });
      this.socket = socket;
      this.frames.clear();
      socket.setNoDelay();
      socket.on(tls === undefined ? 'connect' : 'secureConnect', () => this.greet(socket));
      socket.on('data', piece => this.take(socket, piece));
      socket.on('drain', () => this.onPacketQueueReadable());
      socket.on('error', error => this.untrusted(error));
      socket.on('close', () => this.closed(socket));
      this.after(patience, () => socket.destroy());
      if (!this.busy) socket.unref();
    }

    /** The session, who we are, and nothing else until the server has answered. */
    private greet(socket: Socket): void {
      if (this.socket !== socket) return;
      socket.write(helloFrame(this));
      for (const { scheme, auth } of this.credentials) socket.write(authFrame(scheme, auth));
    }

    private greeting(frame: Buffer): void {
      const from = new Reader(frame);
      from.int();
      const timeout = from.int();
      if (timeout <= 0) return this.end(states.SESSION_EXPIRED);
      const id = from.long();
      this.sessionId = Buffer.alloc(8);
      this.sessionId.writeBigInt64BE(id);
      this.sessionPassword = Buffer.from(from.bytes() ?? []);
      this.updateTimeout(timeout);
      clearTimeout(this.timer);
      this.failures = 0;
      this.greeted = true;
      this.packetQueue.queue.unshift(...this.watchesAgain());
      if (this.socket !== undefined) this.pulse.begin(this.socket, timeout);
      this.mind(true);
      this.setState(states.CONNECTED);
      this.settings.listener.established();
      this.onPacketQueueReadable();
    }

    private watchesAgain(): Packet[] {
      const { watcherManager: watchers } = this;
      const trees = [...this.settings.trees];
      const lists = [
        watchers.getDataWatcherPaths(),
        watchers.getExistenceWatcherPaths(),
        watchers.getChildWatcherPaths(),
        trees.flatMap(([path, recursive]) => (recursive ? [] : [path])),
        trees.flatMap(([path, recursive]) => (recursive ? [path] : [])),
      ].map(list => list.map(path => this.whole(path)));
      return [...portions(lists)].map(portion => ({ request: setWatches(this.zxid, portion), callback: () => undefined }));
    }

    private whole(path: string): string {
      const { chrootPath: root } = this;
      return root === undefined ? path : path === '/' ? root : root + path;
    }

    private flush(): void {
      const { socket } = this;
      if (!this.greeted || socket === undefined || socket.destroyed) return;
      const now = performance.now();
      const several = this.packetQueue.queue.length > 1;
      if (several) socket.cork();
      for (let packet = this.packetQueue.queue.shift(); packet !== undefined; packet = this.packetQueue.queue.shift()) {
        if (((packet as Timed).deadline ?? Infinity) <= now) {
          this.tell(packet, new Fault(code.unsent));
          continue;
        }
        const { header } = packet.request;
        const isAuth = header?.type === opcode.auth;
        if (header !== null && !isAuth) {
          header.xid = this.xid;
          this.xid = this.xid >= 0x7fffffff ? 1 : this.xid + 1;
          this.pendingQueue.push(packet);
        }
        this.pulse.sent(now);
        const roomy = socket.write(packet.request.toBuffer());
        if (!roomy || header?.type === opcode.close) break;
      }
      if (several) socket.uncork();
      this.mind();
    }

    private take(socket: Socket, piece: Buffer): void {
      if (this.socket !== socket) return;
      this.pulse.heard();
      try {
        for (const frame of this.frames.take(piece)) {
          if (this.greeted) this.message(frame);
          else this.greeting(frame);
          if (this.socket !== socket || socket.destroyed) return;
        }
      } catch {
        // Not the protocol: begin anew, on the next host.
        socket.destroy();
      }
      this.mind();
    }

    private message(frame: Buffer): void {
      received++;
      const from = new Reader(frame);
      const xid = from.int();
      const zxid = from.long();
      const error = from.int();
      if (xid === xids.ping) return this.pulse.answered();
      if (xid === xids.auth) return error === 0 ? undefined : this.end(states.AUTHENTICATION_FAILED);
      if (xid === xids.event) return this.event(frame, from);
      const packet = this.pendingQueue.shift();
      if (packet?.request.header?.xid !== xid) throw new RangeError('an answer of ZooKeeper is out of order');
      // Answers that refuse a request have none.
      if (zxid > 0n) this.zxid = Buffer.from(frame.subarray(4, 12));
      if (packet.request instanceof Request) this.answer(packet, packet.request, from, zxid, error);
      else this.answerStock(packet, frame, error);
    }

    private answer(packet: Packet, request: Request<unknown>, from: Reader, zxid: bigint, error: number): void {
      // A multi that is refused says in its body which step it was.
      const isTold = error === 0 || (request.header.type === opcode.multi && !from.ended);
      this.tell(
        packet,
        isTold ? null : new Fault(error, { zxid, at: received }),
        isTold ? { value: request.read(from), zxid, at: received } : undefined,
      );
    }

    private answerStock(packet: Packet, frame: Buffer, error: number): void {
      const answer = answers.read(packet.request.header?.type ?? 0, frame, error, this.chrootPath);
      this.tell(packet, error === 0 ? null : answers.error(error), answer);
    }

    private event(frame: Buffer, from: Reader): void {
      const type = from.int();
      from.int();
      const path = from.text();
      const event = answers.event(frame, this.chrootPath);
      // A watcher that throws is its owner's affair, and not that of the frames behind.
      apart(() => this.settings.listener.event(type, path, received));
      apart(() => this.watcherManager.emit(event));
    }

    private tell({ request, callback }: Packet, error: Error | null, answer?: unknown): void {
      const told = error instanceof Fault && !(request instanceof Request) ? answers.error(error.code) : error;
      apart(() => callback(told, answer));
    }

    /** At once: whoever asks while the socket closes is to hear of it, too. */
    private end(state: number): void {
      const { socket } = this;
      this.socket = undefined;
      this.greeted = false;
      this.pulse.end();
      this.setState(state);
      socket?.destroy();
      this.finish(this.lastCode());
    }

    /** A certificate that is refused stays so: what waits for the connection is told now. */
    private untrusted(error: Error): void {
      if (
        this.settings.tls === undefined ||
        !/cert|self.signed|altname|alert|EPROTO|wrong version/i.test(`${(error as NodeJS.ErrnoException).code} ${error.message}`)
      )
        return;
      const fault = new Fault(code.refusedTls, { cause: error });
      for (const packet of this.packetQueue.queue.splice(0)) this.tell(packet, fault);
      this.settings.listener.refused?.(fault);
    }

    private closed(socket: Socket): void {
      if (this.socket !== socket) return;
      this.greeted = false;
      this.socket = undefined;
      clearTimeout(this.timer);
      this.pulse.end();
      this.frames.clear();
      if (this.state === states.CLOSING) return this.finish(code.connectionLoss);
      this.failures++;
      for (const packet of this.pendingQueue.splice(0)) this.tell(packet, new Fault(code.connectionLoss));
      this.dropLate();
      this.setState(states.DISCONNECTED);
      this.settings.listener.cut();
      if (this.state === states.DISCONNECTED) this.connect();
    }

    /** What waits for a connection for too long is not sent any more. */
    private dropLate(): void {
      const now = performance.now();
      const late = (packet: Packet): boolean => ((packet as Timed).deadline ?? Infinity) <= now;
      for (const packet of this.packetQueue.queue.filter(late)) this.tell(packet, new Fault(code.unsent));
      this.packetQueue.queue.splice(0, Infinity, ...this.packetQueue.queue.filter(packet => !late(packet)));
    }

    /** Nothing is left without an answer. */
    private finish(number: number): void {
      clearTimeout(this.timer);
      this.pulse.end();
      const [sent, unsent] = [this.pendingQueue.splice(0), this.packetQueue.queue.splice(0)];
      if (!this.isOver()) {
        this.setState(states.DISCONNECTED);
        this.setState(states.CLOSED);
      }
      for (const packet of sent) this.tell(packet, new Fault(number));
      for (const packet of unsent) this.tell(packet, new Fault(number === code.connectionLoss ? code.unsent : number));
      this.settings.listener.ended();
    }

    private after(ms: number, then: () => void): void {
      clearTimeout(this.timer);
      this.timer = setTimeout(then, ms);
      if (!this.busy) this.timer.unref();
    }

    /** An idle connection does not keep the process alive; one that somebody waits for does. */
    private mind(anew = false): void {
      const busy = this.holders > 0 || this.pendingQueue.length > 0 || this.packetQueue.queue.length > 0;
      if (busy === this.busy && !anew) return;
      this.busy = busy;
      const refer = busy ? ('ref' as const) : ('unref' as const);
      this.socket?.[refer]();
      this.timer?.[refer]();
      this.pulse.refer(busy);
    }
  };
}

interface Timed extends Packet {
  readonly deadline?: number;
}

/** Runs what belongs to others; what it throws is thrown in a turn of its own. */
function apart(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function serverOf(host: string): { host: string; port: number } {
  const colon = host.lastIndexOf(':');
  return { host: host.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(host.slice(colon + 1)) };
}
