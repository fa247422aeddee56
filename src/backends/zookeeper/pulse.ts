/** The pulse of a connection: pings in regular turns, what was heard of the peer, and the end of one that says nothing. */
import type { Socket } from 'node:net';
import { Fault } from './errors.js';
import { pingFrame } from './greeting.js';
import { code } from './numbers.js';

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Pulse {
  private readonly silence: number;
  private readonly alive: () => void;
  /** Pings are answered in the order of asking. */
  private readonly waiting: Waiting[] = [];
  private socket: Socket | undefined;
  private beat: NodeJS.Timeout | undefined;
  private heardAt = 0;
  private toldAt = 0;
  private sentAt = 0;

  /**
   * @param silence  ms after which a peer that says nothing is left; it is pinged four times as often
   * @param alive  told in regular turns, where something was heard since it was told last
   */
  constructor(silence: number, alive: () => void) {
    this.silence = silence;
    this.alive = alive;
  }

  /** @param timeout  ms of the session, of which a third is left for the next host */
  begin(socket: Socket, timeout: number): void {
    const every = Math.max(10, Math.min(this.silence, (timeout * 2) / 3) / 4);
    this.socket = socket;
    this.heardAt = performance.now();
    this.beat = setInterval(() => this.look(every), every);
  }

  end(): void {
    clearInterval(this.beat);
    this.beat = undefined;
    this.socket = undefined;
    for (const { reject } of this.waiting.splice(0)) reject(new Fault(code.connectionLoss));
  }

  sent(at: number): void {
    this.sentAt = at;
  }

  heard(): void {
    this.heardAt = performance.now();
  }

  ping(): Promise<void> {
    const { socket } = this;
    if (socket === undefined) return Promise.reject(new Fault(code.connectionLoss));
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.sentAt = performance.now();
      socket.write(pingFrame);
    });
  }

  answered(): void {
    this.waiting.shift()?.resolve();
  }

  /** It keeps the process alive. */
  ref(): void {
    this.beat?.ref();
  }

  unref(): void {
    this.beat?.unref();
  }

  private look(every: number): void {
    const { socket } = this;
    const quiet = (): boolean => performance.now() - this.heardAt > every * 4;
    if (quiet()) {
      // After a blocked event loop this timer is due before the socket has been read: one more turn for it.
      setImmediate(() => {
        if (this.socket === socket && quiet()) socket?.destroy();
      });
      return;
    }
    if (performance.now() - this.sentAt >= every * 0.9) this.ping().catch(() => undefined);
    if (this.heardAt <= this.toldAt) return;
    this.toldAt = this.heardAt;
    this.alive();
  }
}
