/** Listing: at once where that keeps nobody waiting, else name by name. */
import { filter, firstValueFrom, type Observable, throwError, timeout as inTime } from 'rxjs';
import type { Feed, Listing, Range } from '../../driver.js';
import { KvError } from '../../errors.js';
import { depthOf } from '../../key.js';
import type { PrefixQuery } from '../../networked.js';
import type { Reply } from './client.js';
import { deeper } from './codec.js';
import { backend } from './errors.js';
import { type Found, foundOf } from './get.js';
import type { Keyspace } from './keyspace.js';
import { list, prune } from './scripts.js';
import type { Server } from './server.js';
import type { Servers } from './servers.js';

/** All below a prefix as it is at one moment. */
export interface Contents {
  /** The server's clock in µs. */
  readonly revision: bigint;
  readonly found: readonly Found[];
  /** With a depth: the directories there that hold deeper keys. */
  readonly directories: readonly string[];
}

/** What a script may take before others notice: about 5 ms of a server. */
const mostKeys = 20_000;
const mostNames = 2500;
const mostBytes = 2 ** 22;
const unlimited = 2 ** 50;
/** How many keys a step of SCAN looks at. */
const step = 1000;

export interface ListerOptions {
  readonly servers: Servers;
  readonly keyspace: Keyspace;
  /** ms for one round trip */
  readonly timeout: number;
  readonly feed$: (range: Range) => Observable<Feed>;
}

export class Lister {
  private readonly options: ListerOptions;

  constructor(options: ListerOptions) {
    this.options = options;
  }

  /** @param timeout  ms for each step @throws KvError */
  async list(query: PrefixQuery, timeout: number): Promise<Listing> {
    const { servers, keyspace } = this.options;
    if (keyspace.oneSlot) {
      const contents = await listAtOnce(servers, keyspace, query, timeout);
      if (contents !== undefined) return listingOf(contents);
    }
    return this.watched(query, timeout).catch(async (error: unknown) => {
      if (!keyspace.oneSlot || !KvError.is(error) || error.code !== 'unsupported') throw error;
      // A server that does not tell what changes while we look: then all at once, however long others wait.
      const contents = await listAtOnce(servers, keyspace, query, timeout, true);
      return listingOf(contents as Contents);
    });
  }

  /** What a watch of it would say first, which says of each step that it was made. */
  private async watched(query: PrefixQuery, timeout: number): Promise<Listing> {
    const late = (): Observable<never> => throwError(() => new KvError('timeout', `list: no step within ${timeout} ms`, { backend }));
    const steps$ = this.options.feed$({ prefix: query.prefix }).pipe(inTime({ each: timeout, with: late }));
    const said = await firstValueFrom(steps$.pipe(filter(message => message.type === 'reset')));
    const { depth } = query;
    const { entries, revision } = said;
    if (depth === undefined) return { entries, revision };
    const directories = new Set<string>();
    const shown = entries.filter(({ key }) => {
      const hidden = depthOf(key.slice(query.prefix.length)) > depth;
      if (hidden) directories.add(directoryAt(query, key));
      return !hidden;
    });
    return { entries: shown, directories: [...directories], revision };
  }
}

function listingOf({ found, directories, revision }: Contents): Listing {
  const entries = found.map(({ entry }) => entry);
  // A server whose clock was behind has written later than it says.
  return { entries, directories, revision: entries.reduce((last, entry) => (entry.revision > last ? entry.revision : last), revision) };
}

/** undefined where it would take too long: then by {@link names}. Only where all is in one slot. @throws KvError */
export async function listAtOnce(
  servers: Servers,
  keyspace: Keyspace,
  query: PrefixQuery,
  timeout: number,
  whole = false,
): Promise<Contents | undefined> {
  const { prefix, depth, values = true } = query;
  const { root, aside, own } = keyspace;
  const indexed = keyspace.indexes(prefix);
  const flag = (on: boolean): string => (on ? '1' : '0');
  // With a key that never is: of a slot on its way to another node that lets no node answer with what it has of it.
  const keys = indexed ? [keyspace.index, own] : [own];
  const args = [
    ...[keyspace.pattern(prefix), root, prefix, ...aside, own, flag(indexed), depth ?? '', flag(values)],
    ...(whole ? [unlimited, unlimited, unlimited] : [mostKeys, mostNames, mostBytes]),
  ];
  const reply = await servers.call(own, { send: client => client.run(list, keys, args), repeatable: true, whole: true, timeout });
  if (reply === null) return undefined;
  return contentsOf(servers, keyspace, query, reply as readonly Reply[], timeout);
}

function contentsOf(servers: Servers, keyspace: Keyspace, query: PrefixQuery, reply: readonly Reply[], timeout: number): Contents {
  const now = performance.now();
  const found: Found[] = [];
  const gone: string[] = [];
  const directories = new Set<string>();
  for (let at = 1; at < reply.length; at += 4) {
    const name = keyspace.text(reply[at] as Buffer);
    const key = name === undefined ? undefined : keyspace.within(query, name);
    if (name === undefined || key === undefined) continue;
    if (reply[at + 3] === deeper) {
      directories.add(directoryAt(query, key));
      continue;
    }
    const [value, meta, left] = reply.slice(at + 1, at + 4) as [Buffer | null, Buffer | null, number];
    const each = foundOf(keyspace, key, { value, meta, left }, now);
    if (each !== undefined) found.push(each);
    else gone.push(name);
  }
  if (keyspace.indexes(query.prefix)) forget(servers, keyspace, gone, timeout);
  return { revision: BigInt(String(reply[0])), found, directories: [...directories] };
}

/** The directory at the query's depth that a deeper key lies in. */
export function directoryAt({ prefix, depth = 1 }: PrefixQuery, key: string): string {
  return prefix + key.slice(prefix.length).split('/', depth).join('/');
}

export interface NamesOptions {
  readonly keyspace: Keyspace;
  readonly prefix: string;
  /** ms for each step */
  readonly timeout: number;
  /** Called after each step. */
  readonly turned?: () => void;
}

/** The keys below a prefix that a server has, by and by: those that were there all the while, and perhaps others. */
export async function names(server: Server, { keyspace, prefix, timeout, turned }: NamesOptions): Promise<Set<string>> {
  const found = new Set<string>();
  const add = (bytes: Buffer, before = ''): void => {
    const name = keyspace.text(bytes);
    const key = name === undefined ? undefined : keyspace.within({ prefix }, before + name);
    if (key !== undefined) found.add(key);
  };
  if (keyspace.indexes(prefix)) {
    const all = await server.call({
      send: client => client.call('ZRANGEBYLEX', keyspace.index, ...bounds(prefix)),
      repeatable: true,
      timeout,
    });
    for (const member of all as readonly Buffer[]) add(member, keyspace.root);
    return found;
  }
  const pattern = keyspace.pattern(prefix);
  let cursor = '0';
  do {
    const from = cursor;
    const page = await server.call({
      send: client => client.call('SCAN', from, 'MATCH', pattern, 'COUNT', step),
      repeatable: true,
      timeout,
    });
    const [next, members] = page as readonly [Reply, readonly Buffer[]];
    cursor = String(next);
    for (const name of members) add(name);
    turned?.();
  } while (cursor !== '0');
  return found;
}

/** Takes names off the index whose keys have expired, or were deleted by others. */
export function forget(servers: Servers, keyspace: Keyspace, gone: readonly string[], timeout: number): void {
  for (let at = 0; at < gone.length; at += step) {
    const keys = [keyspace.index, ...gone.slice(at, at + step)];
    const pruning = servers.call(keyspace.index, { send: client => client.run(prune, keys, [keyspace.root]), repeatable: true, timeout });
    // Whoever lists next takes them off.
    pruning.catch(() => undefined);
  }
}

/** '0' is the character after '/'. */
function bounds(prefix: string): [string, string] {
  return prefix === '' ? ['-', '+'] : [`[${prefix}`, `(${prefix.slice(0, -1)}0`];
}
