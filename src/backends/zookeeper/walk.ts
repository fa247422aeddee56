/** Walking: a tree of nodes, level by level, many of them in one request. */
import { portions } from '../../portions.js';
import { Fault, translated } from './errors.js';
import { childOf } from './keyspace.js';
import { code } from './numbers.js';
import { type Answer, type Node, readChildren, readNodes, type Request } from './wire.js';

/** How the nodes of a walk are read. */
export interface Reads {
  readonly nodes: (paths: readonly string[]) => Promise<Answer<(Node | number)[]>>;
  readonly children: (paths: readonly string[]) => Promise<Answer<(string[] | number)[]>>;
}

/** Nodes in one request, and bytes of their paths. */
const most = 1000;
const mostBytes = 256 * 1024;
/** Requests under way at once. */
const abreast = 4;

/**
 * Reads a node and what lies below it.
 *
 * @param visit  told of each node as it is read; whether its children are wanted
 * @throws KvError `denied` where a node may not be read
 */
export async function walk(reads: Reads, root: string, visit: (path: string, node: Node) => boolean): Promise<void> {
  let level: string[] = [root];
  while (level.length > 0) {
    const wanted: string[] = [];
    await inPortions(level, reads.nodes, (path, node) => {
      if (typeof node === 'number') absentOr(node);
      else if (visit(path, node) && node.stat.children > 0) wanted.push(path);
    });
    const next: string[] = [];
    await inPortions(wanted, reads.children, (path, names) => {
      if (typeof names === 'number') absentOr(names);
      else for (const name of names) next.push(childOf(path, name));
    });
    level = next;
  }
}

/** Reads through `send`, which answers in the order of asking. */
export function readsOf(send: <T>(request: Request<T>) => Promise<Answer<T>>): Reads {
  return { nodes: paths => send(readNodes(paths)), children: paths => send(readChildren(paths)) };
}

/** Asks in as many requests as it takes, a few of them at once, and tells of each path what was found. */
export async function inPortions<T>(
  paths: readonly string[],
  ask: (portion: readonly string[]) => Promise<Answer<readonly T[]>>,
  found: (path: string, what: T, answer: Answer<unknown>) => void,
): Promise<void> {
  const waiting: Promise<void>[] = [];
  for (const portion of portions(paths, sizeOf, { bytes: mostBytes, items: most })) {
    if (waiting.length >= abreast) await waiting.shift();
    const told = ask(portion).then(answer => {
      portion.forEach((path, i) => found(path, answer.value[i] as T, answer));
    });
    // One that fails is heard of when its turn comes; the others may fail with it before theirs.
    told.catch(() => undefined);
    waiting.push(told);
  }
  await Promise.all(waiting);
}

/** Bytes of a path in a request. */
function sizeOf(path: string): number {
  return Buffer.byteLength(path) + 14;
}

/** @throws KvError unless the node is just not there */
export function absentOr(error: number): void {
  if (error !== code.noNode) throw translated(new Fault(error));
}
