/** The greeting: what a connection says first, and to keep its session: who we are, and what we watch. */
import { portions } from '../../portions.js';
import { Reader, Writer } from './buffers.js';
import { opcode, xids } from './numbers.js';
import type { Manager } from './package.js';
import { type Request, setWatches } from './wire.js';

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

/** The session that the server answers with; undefined where it has ended. */
export function grantedBy(frame: Buffer): { timeout: number; sessionId: Buffer; sessionPassword: Buffer } | undefined {
  const from = new Reader(frame);
  from.int();
  const timeout = from.int();
  if (timeout <= 0) return undefined;
  const sessionId = Buffer.alloc(8);
  sessionId.writeBigInt64BE(from.long());
  return { timeout, sessionId, sessionPassword: Buffer.from(from.bytes() ?? []) };
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

/**
 * Requests that set watches again, each as large as a server takes.
 *
 * @param trees  persistent watches, by path, and whether they are of all below it
 */
export function* watchesAgain(
  { watcherManager: watchers, chrootPath, zxid }: Manager,
  trees: ReadonlyMap<string, boolean>,
): Iterable<Request<unknown>> {
  const persistent = [...trees];
  const lists = [
    watchers.getDataWatcherPaths(),
    watchers.getExistenceWatcherPaths(),
    watchers.getChildWatcherPaths(),
    persistent.flatMap(([path, recursive]) => (recursive ? [] : [path])),
    persistent.flatMap(([path, recursive]) => (recursive ? [path] : [])),
  ];
  const watches = lists.flatMap((list, kind) => list.map(path => ({ kind, path: whole(path, chrootPath) })));
  for (const portion of portions(watches, ({ path }) => 4 + Buffer.byteLength(path), { bytes: mostWatches }))
    yield setWatches(
      zxid,
      lists.map((_, kind) => portion.flatMap(watch => (watch.kind === kind ? [watch.path] : []))),
    );
}

function whole(path: string, root: string | undefined): string {
  return root === undefined ? path : path === '/' ? root : root + path;
}
