/** Stock answers: what the server says to the package's own requests, as the package's records. */
import { Fault } from './errors.js';
import type { JuteRecord, Package } from './package.js';
import { opcode } from './numbers.js';

/** Requests that only the package makes. */
const getAcl = 6;
const setAcl = 7;

export class StockAnswers {
  private readonly stock: Package;
  private readonly payloads: ReadonlyMap<number, (new () => JuteRecord) | undefined>;

  constructor(stock: Package) {
    const { protocol } = stock;
    this.stock = stock;
    this.payloads = new Map([
      [opcode.create, protocol.CreateResponse],
      [opcode.exists, protocol.ExistsResponse],
      [opcode.getData, protocol.GetDataResponse],
      [opcode.setData, protocol.SetDataResponse],
      [getAcl, protocol.GetACLResponse],
      [setAcl, protocol.SetACLResponse],
      [opcode.getChildren2, protocol.GetChildren2Response],
      [opcode.multi, stock.TransactionResponse],
    ]);
  }

  /** The answer to a request of that type; what refuses a multi says so in its payload, too. */
  read(type: number, frame: Buffer, error: number, chroot: string | undefined): unknown {
    const { protocol, Response } = this.stock;
    const Payload = error === 0 || type === opcode.multi ? this.payloads.get(type) : undefined;
    const header = new (protocol.ReplyHeader as new () => JuteRecord)();
    const at = header.deserialize(frame, 0);
    if (Payload === undefined || frame.length <= at) return new Response(header, null);
    return new Response(header, record(Payload, frame, at, chroot));
  }

  /** What befell a node, for the package's own watchers. */
  event(frame: Buffer, chroot: string | undefined): JuteRecord {
    return record(this.stock.protocol.WatcherEvent as new () => JuteRecord, frame, headerBytes, chroot);
  }

  /** The package throws for codes that it does not know. */
  error(number: number): Error {
    try {
      return this.stock.Exception.create(number);
    } catch {
      return Object.assign(new Fault(number), { getCode: () => number });
    }
  }
}

/** Of an answer: its number, where the server was, and an error. */
const headerBytes = 16;

function record(Kind: new () => JuteRecord, frame: Buffer, at: number, chroot: string | undefined): JuteRecord {
  const made = new Kind();
  made.setChrootPath(chroot);
  made.deserialize(frame, at);
  return made;
}
