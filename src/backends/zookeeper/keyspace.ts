/** A keyspace: the part of ZooKeeper's nodes that is one store's, which is what lies below its root. */
import type { Range } from '../../driver.js';
import type { Entry } from '../../entry.js';
import type { Foreign } from '../../foreign.js';
import { isKey, reserved } from '../../key.js';
import type { Settings } from './options.js';
import type { Node, Stat } from './wire.js';

/** The directory of a store's own records, relative to its root. */
export const ownRecords: string = `${reserved}/`;

/** Among how many guards the keys are divided. */
const guards = 32;
/** No lock has this name: where one has a `%`, "25" or "2F" follows. */
const guardDirectory = `${ownRecords}%guards`;

export class Keyspace {
  /** The node that all keys are below: '' for the server's own root. */
  readonly root: string;
  /** Records of others. */
  readonly foreign: Foreign;

  constructor({ root, raw }: Pick<Settings, 'root' | 'raw'>, foreign: Foreign) {
    const path = root === '' ? '' : `/${root.slice(0, -1)}`;
    this.root = raw ? path : encoded(path);
    this.foreign = foreign;
  }

  /** The node of a key. */
  path(relative: string): string {
    const path = encoded(`/${relative}`);
    return this.root + (this.root === '' ? path.replace(/^\/zookeeper(?=\/|$)/, '/%u007aookeeper') : path);
  }

  /** The node whose descendants have that prefix. */
  directory(prefix: string): string {
    return prefix === '' ? this.root : this.path(prefix.slice(0, -1));
  }

  /** The node that a range begins at. */
  at(range: Range): string {
    const path = 'key' in range ? this.path(range.key) : this.directory(range.prefix);
    return path === '' ? '/' : path;
  }

  /** The node that every creation of a key writes, so that compare-and-set sees one in between. */
  guard(relative: string): string {
    let hash = 0;
    for (let i = 0; i < relative.length; i++) hash = (hash * 31 + relative.charCodeAt(i)) | 0;
    return this.path(`${guardDirectory}/${(hash >>> 0) % guards}`);
  }

  /** Whether a node lies where a range looks; the root shows neither our own records nor the server's. */
  isSeen(range: Range, path: string): boolean {
    if ('key' in range) return path === this.path(range.key);
    const directory = this.directory(range.prefix);
    if (!path.startsWith(`${directory}/`)) return false;
    if (range.prefix !== '') return true;
    const own = `${this.root}/${reserved}`;
    return path !== own && !path.startsWith(`${own}/`) && !(this.root === '' && /^\/zookeeper(?:\/|$)/.test(path));
  }

  /** The relative key of a node below the root; undefined for what is no valid key, of which it takes note. */
  relative(path: string): string | undefined {
    const written = path.slice(this.root.length + 1);
    const relative = decoded(written);
    if (relative.startsWith(ownRecords)) return relative;
    if (isKey(relative) && this.path(relative) === path) return relative;
    this.foreign.note(relative, written);
    return undefined;
  }

  /** What a node is to users; undefined for a directory and for what is no valid key. */
  entry(path: string, node: Node): Entry | undefined {
    if (node.data === undefined) return undefined;
    const key = this.relative(path);
    return key === undefined ? undefined : entryOf(key, node.data, node.stat);
  }
}

export function entryOf(key: string, value: Uint8Array<ArrayBuffer>, stat: Stat): Entry {
  return { key, value, revision: stat.mzxid, created: stat.czxid, leased: isLeased(stat) };
}

/** Whether a node goes by itself: with its session, or as a TTL node of ours. */
export function isLeased(stat: Stat): boolean {
  return stat.owner !== 0n || isTtlNode(stat);
}

/**
 * The server tells nobody which nodes are TTL nodes. Ours are made together with a child that is deleted in the same
 * transaction, which no other node can look like.
 */
export function isTtlNode({ czxid, pzxid, cversion, children }: Stat): boolean {
  return pzxid === czxid && cversion > 0 && children === 0;
}

/** The directory that a node is in; '/' of the topmost. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** All directories above a node, the nearest first, without '/'. */
export function ancestorsOf(path: string): string[] {
  const ancestors: string[] = [];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) ancestors.push(path.slice(0, at));
  return ancestors;
}

export function childOf(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

// What a server refuses in a path, and what would be read as one of these.
// oxlint-disable-next-line no-control-regex
const refused = /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]|%(?=u[0-9a-f]{4})/g;

/** Needs no closer look. */
const plain = /^[ -$&-~]*$/;

function encoded(path: string): string {
  if (plain.test(path)) return path;
  return path.replace(refused, unit => `%u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function decoded(path: string): string {
  return path.includes('%u') ? path.replace(/%u([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))) : path;
}
