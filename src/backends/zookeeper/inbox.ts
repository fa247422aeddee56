/** An inbox: what the server says once it has greeted us, and who is told of it. */
import { apart } from './apart.js';
import type { Arrivals } from './arrivals.js';
import { Reader } from './buffers.js';
import { Fault } from './errors.js';
import type { Listener } from './listener.js';
import { opcode, xids } from './numbers.js';
import type { Outbox } from './outbox.js';
import type { Manager, Packet } from './package.js';
import type { Pulse } from './pulse.js';
import type { StockAnswers } from './stock.js';
import { Request } from './wire.js';

export interface InboxOptions {
  readonly manager: Manager;
  readonly arrivals: Arrivals;
  readonly listener: Listener;
  readonly answers: StockAnswers;
  readonly outbox: Outbox;
  readonly pulse: Pulse;
  /** Told that the server does not take us for who we say we are. */
  readonly denied: () => void;
}

export class Inbox {
  private readonly options: InboxOptions;

  constructor(options: InboxOptions) {
    this.options = options;
  }

  /** @throws RangeError for what is not the protocol */
  take(frame: Buffer): void {
    const { manager, arrivals, outbox, pulse, denied } = this.options;
    const at = arrivals.next();
    const from = new Reader(frame);
    const xid = from.int();
    const zxid = from.long();
    const error = from.int();
    if (xid === xids.ping) return pulse.answered();
    if (xid === xids.auth) return error === 0 ? undefined : denied();
    if (xid === xids.event) return this.event(frame, from, at);
    const packet = outbox.answered(xid);
    // Answers that refuse a request have none.
    if (zxid > 0n) manager.zxid = Buffer.from(frame.subarray(4, 12));
    if (packet.request instanceof Request) this.answer(packet, packet.request, from, { zxid, error, at });
    else this.answerStock(packet, frame, error);
  }

  private answer(packet: Packet, request: Request<unknown>, from: Reader, { zxid, error, at }: Header): void {
    // A multi that is refused says in its body which step it was.
    const isTold = error === 0 || (request.header.type === opcode.multi && !from.ended);
    if (isTold) this.options.outbox.tell(packet, null, { value: request.read(from), zxid, at });
    else this.options.outbox.tell(packet, new Fault(error, { zxid, at }));
  }

  private answerStock(packet: Packet, frame: Buffer, error: number): void {
    const { answers, manager, outbox } = this.options;
    const answer = answers.read(packet.request.header?.type ?? 0, frame, error, manager.chrootPath);
    outbox.tell(packet, error === 0 ? null : answers.error(error), answer);
  }

  private event(frame: Buffer, from: Reader, at: number): void {
    const { answers, listener, manager } = this.options;
    const type = from.int();
    from.int();
    const path = from.text();
    const event = answers.event(frame, manager.chrootPath);
    // A watcher that throws is its owner's affair, and not that of the frames behind.
    apart(() => listener.event(type, path, at));
    apart(() => manager.watcherManager.emit(event));
  }
}

interface Header {
  readonly zxid: bigint;
  readonly error: number;
  readonly at: number;
}
