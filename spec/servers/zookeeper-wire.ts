/** As much of ZooKeeper's protocol as a probe needs: four-letter words, and sessions that create, read and authenticate. */
import type { Socket } from 'node:net';
import { type Peer, dial, silence } from './dial.js';
import { until } from './until.js';

/** Who may do everything with a node: anybody, or those who authenticated as the one who creates it. */
export type Owner = 'world' | 'auth';

export interface ZooKeeperSession extends AsyncDisposable {
  authenticate(username: string, password: string): Promise<void>;
  create(path: string, value: string, owner?: Owner): Promise<void>;
  /** undefined where the node is absent. */
  get(path: string): Promise<string | undefined>;
}

/** The error code of a reply that refused. */
export class ZooKeeperError extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`ZooKeeper refused with ${code}`);
    this.code = code;
  }
}

export const noNode: number = -101;
export const noAuth: number = -102;
const sessionExpired = -112;
/** Where the server wants authentication first. */
export const authRequired: number = -124;

const operations = { create: 1, get: 4, auth: 100, close: -11 } as const;
const authXid = -4;

/** The answer to a four-letter word: `srvr`, `ruok`, `wchs`; rejects after 2 s of silence. */
export async function fourLetters(word: string, peer: Peer): Promise<string> {
  const socket = await dial(peer);
  let answer = '';
  try {
    socket.write(word);
    for await (const part of socket) answer += String(part);
  } finally {
    socket.destroy();
  }
  return answer;
}

/**
 * Ends a session that another client has, as its expiry would: whoever knows its number can tell its password.
 *
 * Resolves once the server knows it no more. Its client may take it back meanwhile, at another member of an ensemble, and
 * what we ask of it is refused then: so it is asked for until there is none.
 */
export async function endSession(peer: Peer, id: bigint, user?: { readonly username: string; readonly password: string }): Promise<void> {
  await until(`the end of the session ${id.toString(16)}`, async () => {
    try {
      await using session = await openSession(peer, 10_000, id);
      if (user !== undefined) await session.authenticate(user.username, user.password);
      return false;
    } catch (error) {
      if (error instanceof ZooKeeperError && error.code === sessionExpired) return true;
      throw error;
    }
  });
}

/**
 * @param timeout ms of the session
 * @param id of a session that is there; a new one by default
 */
export async function openSession(peer: Peer, timeout = 10_000, id = 0n): Promise<ZooKeeperSession> {
  const socket = await dial(peer);
  const frames = framesOf(socket);
  let xid = 0;

  const send = (...parts: Buffer[]): void => {
    const body = Buffer.concat(parts);
    socket.write(Buffer.concat([int(body.length), body]));
  };
  const next = async (): Promise<Buffer> => {
    // Only who waits minds the silence: a session may rest.
    socket.setTimeout(silence);
    const { value, done } = await frames.next();
    socket.setTimeout(0);
    if (done === true) throw new Error('ZooKeeper closed the connection');
    return value;
  };
  const request = async (type: number, id: number, ...parts: Buffer[]): Promise<Buffer> => {
    send(int(id), int(type), ...parts);
    const reply = await next();
    const code = reply.readInt32BE(12);
    if (code !== 0) throw new ZooKeeperError(code);
    return reply.subarray(16);
  };

  // Protocol 0, nothing seen, the session with its password, not read-only.
  send(int(0), Buffer.alloc(8), int(timeout), long(id), bytes(id === 0n ? Buffer.alloc(16) : passwordOf(id)), Buffer.from([0]));
  try {
    // Its first numbers are the protocol's and the ms of the session: none where there is no such session.
    if ((await next()).readInt32BE(4) <= 0) throw new ZooKeeperError(sessionExpired);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return {
    async authenticate(username, password) {
      await request(operations.auth, authXid, int(0), text('digest'), text(`${username}:${password}`));
    },
    async create(path, value, owner = 'world') {
      const list = [int(1), int(31), text(owner), text(owner === 'world' ? 'anyone' : '')];
      await request(operations.create, ++xid, text(path), text(value), ...list, int(0));
    },
    async get(path) {
      try {
        const reply = await request(operations.get, ++xid, text(path), Buffer.from([0]));
        return reply.subarray(4, 4 + reply.readInt32BE(0)).toString();
      } catch (error) {
        if (error instanceof ZooKeeperError && error.code === noNode) return undefined;
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      if (socket.destroyed) return;
      await request(operations.close, ++xid).catch(() => undefined);
      socket.destroy();
    },
  };
}

/** Length-prefixed frames; ends or fails as the socket does. */
async function* framesOf(socket: Socket): AsyncGenerator<Buffer, undefined> {
  let pending = Buffer.alloc(0);
  for await (const part of socket) {
    pending = Buffer.concat([pending, part as Buffer]);
    while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
      const end = 4 + pending.readInt32BE(0);
      yield pending.subarray(4, end);
      pending = pending.subarray(end);
    }
  }
  return undefined;
}

/** A server draws it from Java's generator of random numbers, with the number of the session as its seed. */
function passwordOf(id: bigint): Buffer {
  const mask = (1n << 48n) - 1n;
  const [factor, secret] = [0x5deece66dn, 0xb3415c00n];
  const password = Buffer.alloc(16);
  let seed = (BigInt.asUintN(64, id) ^ secret ^ factor) & mask;
  for (let at = 0; at < password.length; at += 4) {
    seed = (seed * factor + 0xbn) & mask;
    password.writeUInt32LE(Number(seed >> 16n), at);
  }
  return password;
}

function long(value: bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(BigInt.asIntN(64, value));
  return buffer;
}

function int(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function bytes(value: Buffer): Buffer {
  return Buffer.concat([int(value.length), value]);
}

function text(value: string): Buffer {
  return bytes(Buffer.from(value));
}
