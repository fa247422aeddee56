/** The greeting: what a connection says first, and to keep its session: who we are, and what we watch. */
import { Writer } from './buffers.js';
import { opcode, xids } from './numbers.js';
import type { WatchLists } from './wire.js';

/** Bytes of paths in one request that sets watches again. */
const mostWatches = 128 * 1024;

export interface Identity {
  /** What was seen last, as ZooKeeper counts. */
  readonly zxid: Buffer;
  /** ms that are asked for */
  readonly sessionTimeout: number;
  readonly sessionId: Buffer;
  readonly sessionPassword: Buffer;
}

export function helloFrame({ zxid, sessionTimeout, sessionId, sessionPassword }: Identity): Buffer {
  return frameOf(writer => {
    writer.int(0);
    writer.long(zxid.readBigInt64BE(0));
    writer.int(sessionTimeout);
    writer.long(sessionId.readBigInt64BE(0));
    writer.bytes(sessionPassword);
  });
}

export const pingFrame: Buffer = frameOf(writer => {
  writer.int(xids.ping);
  writer.int(opcode.ping);
});

export function authFrame(scheme: string, auth: Buffer): Buffer {
  return frameOf(writer => {
    writer.int(xids.auth);
    writer.int(opcode.auth);
    writer.int(0);
    writer.text(scheme);
    writer.bytes(auth);
  });
}

function frameOf(write: (writer: Writer) => void): Buffer {
  const writer = new Writer();
  write(writer);
  return writer.frame();
}

/** The lists in parts that a server takes in one request each. */
export function* portions(lists: WatchLists): Iterable<string[][]> {
  const none = (): string[][] => lists.map(() => []);
  let portion = none();
  let bytes = 0;
  for (const [i, list] of lists.entries()) {
    for (const path of list) {
      portion[i]?.push(path);
      bytes += 4 + Buffer.byteLength(path);
      if (bytes < mostWatches) continue;
      yield portion;
      portion = none();
      bytes = 0;
    }
  }
  if (bytes > 0) yield portion;
}
