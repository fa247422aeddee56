/**
 * A connection: the package's own manager of one session, with what it lacks and without what it gets wrong.
 *
 * It takes the place of the stock one before the client connects, and serves the client's own calls as well. A peer that
 * says nothing is left for the next host; what is queued always hears how it went; requests of ours go with the rest.
 */
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Arrivals } from './arrivals.js';
import { Frames } from './buffers.js';
import { Dial } from './dial.js';
import { Fault } from './errors.js';
import { authFrame, grantedBy, helloFrame, watchesAgain } from './greeting.js';
import { Inbox } from './inbox.js';
import type { Listener } from './listener.js';
import { code } from './numbers.js';
import { Outbox } from './outbox.js';
import type { Manager, ManagerClass, Package } from './package.js';
import { Pulse } from './pulse.js';
import { StockAnswers } from './stock.js';
import { Tether } from './tether.js';
import { type Answer, closeSession, type Request } from './wire.js';

export interface ConnectionSettings {
  readonly hosts: readonly string[];
  readonly tls: ConnectionOptions | undefined;
  /** ms that one host may take to connect and greet us. */
  readonly patience: number;
  /** ms after which a peer that says nothing is left; it is pinged four times as often. */
  readonly silence: number;
  /** Persistent watches, by path, and whether they are of all below it: set again on every new connection. */
  readonly trees: ReadonlyMap<string, boolean>;
  readonly arrivals: Arrivals;
  readonly listener: Listener;
}

export interface Connection extends Manager {
  readonly dial: Dial;
  /** @param deadline by performance.now(): from then on it is not sent any more, and fails with `code.unsent` */
  send<T>(request: Request<T>, deadline?: number): Promise<Answer<T>>;
  /** Resolves with its answer, rejects when the connection is lost before that. */
  ping(): Promise<void>;
  /** Keeps the process alive until the function that is returned is called. */
  hold(): () => void;
}

export type ConnectionClass = new (options: object, stateListener: (state: number) => void, settings: ConnectionSettings) => Connection;

/** ms that a server may take to take leave of us. */
const farewell = 500;

/** The class on top of the package's own, which is known once the package is loaded. */
export function connectionClass(stock: Package): ConnectionClass {
  const Base: ManagerClass = stock.ConnectionManager;
  const states = Base.STATES;

  return class extends Base implements Connection {
    readonly dial: Dial;
    private readonly settings: ConnectionSettings;
    private readonly frames: Frames = new Frames();
    private readonly pulse: Pulse;
    private readonly outbox: Outbox;
    private readonly inbox: Inbox;
    private readonly tether: Tether;
    private flushing = false;
    /** Whether a server knows of the session on this connection. */
    private greeted = false;

    constructor(options: object, stateListener: (state: number) => void, settings: ConnectionSettings) {
      // Its own parser of hosts knows no IPv6, and takes whatever follows a colon for a port.
      super('localhost', options, stateListener);
      const { hosts, tls, silence, arrivals, listener } = settings;
      const answers = new StockAnswers(stock);
      const pulse = new Pulse(silence, () => listener.alive());
      const outbox = new Outbox({ manager: this, answers, pulse });
      const denied = (): void => this.end(states.AUTHENTICATION_FAILED);
      this.settings = settings;
      this.pulse = pulse;
      this.outbox = outbox;
      this.inbox = new Inbox({ manager: this, arrivals, listener, answers, outbox, pulse, denied });
      this.tether = new Tether({ busy: () => outbox.busy, tied: () => [this.socket, pulse] });
      this.dial = new Dial(hosts, tls);
      this.servers = this.dial.servers;
      this.xid = 1;
    }

    override connect(): void {
      if (this.isOver() || this.state === states.CLOSING) return;
      this.setState(states.CONNECTING);
      this.tether.after(this.dial.pause, () => this.open());
    }

    override close(): void {
      if (this.isOver() || this.state === states.CLOSING) return;
      const { greeted, socket } = this;
      this.setState(states.CLOSING);
      if (greeted && socket !== undefined) {
        this.packetQueue.push({ request: closeSession(), callback: () => undefined });
        this.tether.after(farewell, () => socket.destroy());
      } else {
        this.tether.stop();
        if (socket === undefined) process.nextTick(() => this.finish(code.connectionLoss));
        // One that is on its way out has yet to say so, and that is the end; an end before it would be no end.
        else socket.destroy();
      }
    }

    send<T>(request: Request<T>, deadline = Infinity): Promise<Answer<T>> {
      if (this.isOver()) return Promise.reject(new Fault(this.lastCode()));
      if (this.state === states.CLOSING) return Promise.reject(new Fault(code.unsent));
      return this.outbox.add(request, deadline);
    }

    ping(): Promise<void> {
      return this.pulse.ping();
    }

    hold(): () => void {
      return this.tether.hold();
    }

    /** Called by the queue whenever something was put into it, and by the socket when it has room. */
    override onPacketQueueReadable(): void {
      this.tether.mind();
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
      const socket = this.dial.open(connected => this.greet(connected));
      this.socket = socket;
      this.frames.clear();
      socket.on('data', piece => this.take(socket, piece));
      socket.on('drain', () => this.onPacketQueueReadable());
      socket.on('error', error => this.untrusted(error));
      socket.on('close', () => this.closed(socket));
      this.tether.after(this.settings.patience, () => socket.destroy());
      this.tether.tie(socket);
    }

    /** The session, who we are, and nothing else until the server has answered. */
    private greet(socket: Socket): void {
      if (this.socket !== socket) return;
      socket.write(helloFrame(this));
      for (const { scheme, auth } of this.credentials) socket.write(authFrame(scheme, auth));
    }

    private greeting(frame: Buffer): void {
      const granted = grantedBy(frame);
      if (granted === undefined) return this.end(states.SESSION_EXPIRED);
      const { timeout } = granted;
      this.sessionId = granted.sessionId;
      this.sessionPassword = granted.sessionPassword;
      this.updateTimeout(timeout);
      this.tether.stop();
      this.dial.succeeded();
      this.greeted = true;
      this.outbox.begin(watchesAgain(this, this.settings.trees));
      if (this.socket !== undefined) this.pulse.begin(this.socket, timeout);
      this.tether.mind(true);
      this.setState(states.CONNECTED);
      this.settings.listener.established();
      this.onPacketQueueReadable();
    }

    private flush(): void {
      const { socket } = this;
      if (!this.greeted || socket === undefined || socket.destroyed) return;
      this.outbox.flush(socket);
      this.tether.mind();
    }

    private take(socket: Socket, piece: Buffer): void {
      if (this.socket !== socket) return;
      this.pulse.heard();
      try {
        for (const frame of this.frames.take(piece)) {
          if (this.greeted) this.inbox.take(frame);
          else this.greeting(frame);
          if (this.socket !== socket || socket.destroyed) return;
        }
      } catch {
        // Not the protocol: begin anew, on the next host.
        socket.destroy();
      }
      this.tether.mind();
    }

    private untrusted(error: Error): void {
      const fault = this.dial.refusal(error);
      if (fault === undefined) return;
      this.outbox.refuse(fault);
      this.settings.listener.refused?.(fault);
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

    private closed(socket: Socket): void {
      if (this.socket !== socket) return;
      this.greeted = false;
      this.socket = undefined;
      this.tether.stop();
      this.pulse.end();
      this.frames.clear();
      if (this.state === states.CLOSING) return this.finish(code.connectionLoss);
      this.dial.failed();
      this.outbox.cut();
      this.setState(states.DISCONNECTED);
      this.settings.listener.cut();
      if (this.state === states.DISCONNECTED) this.connect();
    }

    private finish(number: number): void {
      this.tether.stop();
      this.pulse.end();
      if (!this.isOver()) {
        this.setState(states.DISCONNECTED);
        this.setState(states.CLOSED);
      }
      this.outbox.end(number);
      this.settings.listener.ended();
    }
  };
}
