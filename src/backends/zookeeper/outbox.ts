/** An outbox: the requests of one session, from when they are asked for until they are answered, or can be no more. */
import type { Socket } from 'node:net';
import { apart } from './apart.js';
import { Fault } from './errors.js';
import { code, opcode } from './numbers.js';
import type { Manager, Packet } from './package.js';
import type { Pulse } from './pulse.js';
import type { StockAnswers } from './stock.js';
import { type Answer, Request } from './wire.js';

export interface OutboxOptions {
  /** Whose queues they stand in, together with the package's own. */
  readonly manager: Manager;
  readonly answers: StockAnswers;
  readonly pulse: Pulse;
}

interface Timed extends Packet {
  /** By performance.now(). */
  readonly deadline?: number;
}

export class Outbox {
  private readonly manager: Manager;
  private readonly answers: StockAnswers;
  private readonly pulse: Pulse;

  constructor({ manager, answers, pulse }: OutboxOptions) {
    this.manager = manager;
    this.answers = answers;
    this.pulse = pulse;
  }

  /** Whether somebody waits for an answer. */
  get busy(): boolean {
    return this.manager.pendingQueue.length > 0 || this.waiting.length > 0;
  }

  /** @param deadline  by performance.now(): from then on it is not sent any more, and fails with `code.unsent` */
  add<T>(request: Request<T>, deadline: number): Promise<Answer<T>> {
    return new Promise((resolve, reject) => {
      const packet: Timed = {
        request,
        deadline,
        callback: (error, answer) => (error === null ? resolve(answer as Answer<T>) : reject(error)),
      };
      this.manager.packetQueue.push(packet);
    });
  }

  /** Requests that nobody waits for, before all others. */
  begin(requests: Iterable<Request<unknown>>): void {
    this.waiting.unshift(...[...requests].map(request => ({ request, callback: () => undefined })));
  }

  /** Sends as much as the socket has room for. */
  flush(socket: Socket): void {
    const { manager, pulse, waiting } = this;
    const now = performance.now();
    const several = waiting.length > 1;
    if (several) socket.cork();
    for (let packet = waiting.shift(); packet !== undefined; packet = waiting.shift()) {
      if (isLate(packet, now)) {
        this.tell(packet, new Fault(code.unsent));
        continue;
      }
      const { header } = packet.request;
      if (header !== null && header.type !== opcode.auth) {
        header.xid = manager.xid;
        manager.xid = manager.xid >= 0x7fffffff ? 1 : manager.xid + 1;
        manager.pendingQueue.push(packet);
      }
      pulse.sent(now);
      const roomy = socket.write(packet.request.toBuffer());
      if (!roomy || header?.type === opcode.close) break;
    }
    if (several) socket.uncork();
  }

  /** The request that has this number, which is the one that was sent first. @throws RangeError where it is another */
  answered(xid: number): Packet {
    const packet = this.manager.pendingQueue.shift();
    if (packet?.request.header?.xid !== xid) throw new RangeError('an answer of ZooKeeper is out of order');
    return packet;
  }

  /** Who asked hears how it went, in the words of the package where the request is its own. */
  tell({ request, callback }: Packet, error: Error | null, answer?: unknown): void {
    const told = error instanceof Fault && !(request instanceof Request) ? this.answers.error(error.code) : error;
    apart(() => callback(told, answer));
  }

  /** The connection was lost: what was sent may have been carried out; what has waited for too long is not sent any more. */
  cut(): void {
    const now = performance.now();
    for (const packet of this.manager.pendingQueue.splice(0)) this.tell(packet, new Fault(code.connectionLoss));
    for (const packet of this.waiting.filter(each => isLate(each, now))) this.tell(packet, new Fault(code.unsent));
    this.waiting.splice(0, Infinity, ...this.waiting.filter(packet => !isLate(packet, now)));
  }

  /** What waits for a connection is told that there will be none. */
  refuse(fault: Fault): void {
    for (const packet of this.waiting.splice(0)) this.tell(packet, fault);
  }

  /** Nothing is left without an answer. */
  end(number: number): void {
    for (const packet of this.manager.pendingQueue.splice(0)) this.tell(packet, new Fault(number));
    for (const packet of this.waiting.splice(0)) this.tell(packet, new Fault(number === code.connectionLoss ? code.unsent : number));
  }

  private get waiting(): Packet[] {
    return this.manager.packetQueue.queue;
  }
}

function isLate(packet: Timed, now: number): boolean {
  return (packet.deadline ?? Infinity) <= now;
}
