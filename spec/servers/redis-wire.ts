/** As much of Redis' protocol as a probe needs: one command, one reply, over a connection of its own. */
import { type Peer, dial } from './dial.js';

/** Integers are numbers here and a missing bulk is null; arrays nest. */
export type Reply = string | number | null | readonly Reply[];

export interface User {
  readonly username: string;
  readonly password: string;
}

/** Resolves with the reply of the last command; rejects with the words of the server where it refuses one. */
export async function redisCommand(peer: Peer, args: readonly string[], user?: User): Promise<Reply> {
  const commands = user === undefined ? [args] : [['auth', user.username, user.password], args];
  const socket = await dial(peer);
  try {
    socket.write(commands.map(encode).join(''));
    let text = '';
    let expected = commands.length;
    // Latin 1 keeps one character a byte, which the lengths of the protocol count.
    socket.setEncoding('latin1');
    for await (const part of socket) {
      text += String(part);
      for (let parsed = parse(text, 0); parsed !== undefined; parsed = parse(text, 0)) {
        text = text.slice(parsed.end);
        if (parsed.refused !== undefined) throw new Error(parsed.refused);
        if (--expected === 0) return parsed.reply;
      }
    }
    throw new Error(`${peer.host} closed the connection`);
  } finally {
    socket.destroy();
  }
}

/** The fields of a reply that alternates names and values. */
export function fieldsOf(reply: Reply): Record<string, string> {
  const fields: Record<string, string> = {};
  if (!Array.isArray(reply)) return fields;
  for (let i = 0; i + 1 < reply.length; i += 2) fields[String(reply[i])] = String(reply[i + 1]);
  return fields;
}

function encode(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map(arg => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`;
}

interface Parsed {
  readonly reply: Reply;
  readonly refused?: string;
  readonly end: number;
}

/** The reply that starts there; undefined while it is not whole. */
function parse(text: string, from: number): Parsed | undefined {
  const lineEnd = text.indexOf('\r\n', from);
  if (lineEnd === -1) return undefined;
  const line = text.slice(from + 1, lineEnd);
  const end = lineEnd + 2;
  switch (text[from]) {
    case '+':
      return { reply: line, end };
    case '-':
      return { reply: line, refused: line, end };
    case ':':
      return { reply: Number(line), end };
    case '$':
      return parseBulk(text, Number(line), end);
    case '*':
      return parseArray(text, Number(line), end);
    default:
      throw new Error('not the protocol of Redis');
  }
}

function parseBulk(text: string, length: number, from: number): Parsed | undefined {
  if (length === -1) return { reply: null, end: from };
  if (text.length < from + length + 2) return undefined;
  return { reply: Buffer.from(text.slice(from, from + length), 'latin1').toString(), end: from + length + 2 };
}

function parseArray(text: string, count: number, from: number): Parsed | undefined {
  const items: Reply[] = [];
  let end = from;
  for (let i = 0; i < count; i++) {
    const item = parse(text, end);
    if (item === undefined) return undefined;
    items.push(item.reply);
    end = item.end;
  }
  return { reply: items, end };
}
