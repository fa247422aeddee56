/** The wire: ZooKeeper's requests as far as we make them, those among them that the package does not know. */
import type { Reader } from './buffers.js';
import { Writer } from './buffers.js';
import { opcode } from './numbers.js';
import type { Sendable } from './package.js';

/** Bytes of a request that a server takes at its defaults (jute.maxbuffer). */
export const mostBytes = 1_048_575;

export interface Stat {
  readonly czxid: bigint;
  readonly mzxid: bigint;
  readonly version: number;
  readonly cversion: number;
  /** The session of an ephemeral node; 0 of others. */
  readonly owner: bigint;
  readonly children: number;
  readonly pzxid: bigint;
}

export interface Node {
  /** undefined: null, which is a directory and nothing else. */
  readonly data: Uint8Array<ArrayBuffer> | undefined;
  readonly stat: Stat;
}

/** One rule of an access list: a sum of read 1, write 2, create 4, delete 8, admin 16. */
export interface Access {
  readonly permissions: number;
  readonly scheme: string;
  readonly id: string;
}

/** A request, and how its answer is read. */
export class Request<T> implements Sendable {
  readonly header: { xid: number; readonly type: number };
  readonly payload: null = null;
  readonly read: (from: Reader) => T;
  private readonly write: (to: Writer) => void;

  constructor(type: number, write: (to: Writer) => void, read: (from: Reader) => T) {
    this.header = { xid: 0, type };
    this.write = write;
    this.read = read;
  }

  toBuffer(): Buffer {
    const writer = new Writer();
    writer.int(this.header.xid);
    writer.int(this.header.type);
    this.write(writer);
    return writer.frame();
  }
}

/** What a request came to. */
export interface Answer<T> {
  readonly value: T;
  /** Where the server was when it answered. */
  readonly zxid: bigint;
  /** Its place among all messages of the store. */
  readonly at: number;
}

const nothing = (): undefined => undefined;

export function getData(path: string, watch = false): Request<Node> {
  return new Request(opcode.getData, to => pathAndFlag(to, path, watch), readNode);
}

export function exists(path: string, watch = false): Request<Stat> {
  return new Request(opcode.exists, to => pathAndFlag(to, path, watch), readStat);
}

/** The names in a directory, in no order. */
export function getChildren(path: string, watch = false): Request<string[]> {
  return new Request(
    opcode.getChildren2,
    to => pathAndFlag(to, path, watch),
    from => from.texts(),
  );
}

/** Brings the server in use up to where the leader is now. */
export function sync(path: string): Request<unknown> {
  return new Request(opcode.sync, to => to.text(path), nothing);
}

/** Nodes at one moment; the error's code where one cannot be read. */
export function readNodes(paths: readonly string[]): Request<(Node | number)[]> {
  return multiRead(opcode.getData, paths, readNode);
}

/** The names in directories at one moment; the error's code where one cannot be read. */
export function readChildren(paths: readonly string[]): Request<(string[] | number)[]> {
  return multiRead(opcode.getChildren, paths, from => from.texts());
}

export function addWatch(path: string, recursive: boolean): Request<unknown> {
  return new Request(
    opcode.addWatch,
    to => {
      to.text(path);
      to.int(recursive ? 1 : 0);
    },
    nothing,
  );
}

export function removeWatches(path: string, kind: number): Request<unknown> {
  return new Request(
    opcode.removeWatches,
    to => {
      to.text(path);
      to.int(kind);
    },
    nothing,
  );
}

/** Lists of paths to watch again: data, existence, children, persistent, recursive. */
export type WatchLists = readonly (readonly string[])[];

export function setWatches(zxid: Buffer, lists: WatchLists): Request<unknown> {
  const old = (lists[3]?.length ?? 0) === 0 && (lists[4]?.length ?? 0) === 0;
  return new Request(
    old ? opcode.setWatches : opcode.setWatches2,
    to => {
      to.long(zxid.readBigInt64BE(0));
      for (const list of old ? lists.slice(0, 3) : lists) to.texts(list);
    },
    nothing,
  );
}

/** Takes leave: the session ends, and the connection with it. */
export function closeSession(): Request<unknown> {
  return new Request(opcode.close, nothing, nothing);
}

export interface Created {
  readonly path: string;
  readonly stat: Stat;
}

/** A node of the session whose name the server ends with a number. */
export function createSequential(path: string, data: Uint8Array, acl: readonly Access[]): Request<Created> {
  return new Request(opcode.create2, to => writeCreate(to, path, data, acl, 3), readCreated);
}

/** A directory that the server removes some time after its last child has gone. */
export function createContainer(path: string, acl: readonly Access[]): Request<Created> {
  return new Request(opcode.createContainer, to => writeCreate(to, path, undefined, acl, 4), readCreated);
}

export function deleteNode(path: string, version = -1): Request<unknown> {
  return new Request(opcode.delete, to => pathAndVersion(to, path, version), nothing);
}

export function setData(path: string, data: Uint8Array | undefined, version = -1): Request<Stat> {
  return new Request(
    opcode.setData,
    to => {
      to.text(path);
      to.bytes(data);
      to.int(version);
    },
    readStat,
  );
}

/** What stands before each part of a request of several, and after the last. */
export function multiHeader(to: Writer, type: number, done: boolean): void {
  to.int(type);
  to.flag(done);
  to.int(-1);
}

function multiRead<T>(type: number, paths: readonly string[], read: (from: Reader) => T): Request<(T | number)[]> {
  return new Request(
    opcode.multiRead,
    to => {
      for (const path of paths) {
        multiHeader(to, type, false);
        pathAndFlag(to, path, false);
      }
      multiHeader(to, -1, true);
    },
    from => {
      const answers: (T | number)[] = [];
      for (;;) {
        const answered = from.int();
        const done = from.flag();
        from.int();
        if (done) return answers;
        answers.push(answered === opcode.error ? from.int() : read(from));
      }
    },
  );
}

export function writeCreate(to: Writer, path: string, data: Uint8Array | undefined, acl: readonly Access[], flags: number): void {
  to.text(path);
  to.bytes(data);
  to.int(acl.length);
  for (const { permissions, scheme, id } of acl) {
    to.int(permissions);
    to.text(scheme);
    to.text(id);
  }
  to.int(flags);
}

function pathAndFlag(to: Writer, path: string, flag: boolean): void {
  to.text(path);
  to.flag(flag);
}

export function pathAndVersion(to: Writer, path: string, version: number): void {
  to.text(path);
  to.int(version);
}

export function readCreated(from: Reader): Created {
  return { path: from.text(), stat: readStat(from) };
}

function readNode(from: Reader): Node {
  return { data: from.bytes(), stat: readStat(from) };
}

export function readStat(from: Reader): Stat {
  const [czxid, mzxid] = [from.long(), from.long()];
  // Times of its creation and of its last change.
  from.long();
  from.long();
  const [version, cversion] = [from.int(), from.int()];
  from.int();
  const owner = from.long();
  from.int();
  return { czxid, mzxid, version, cversion, owner, children: from.int(), pzxid: from.long() };
}
