/** A draft: the steps of one multi as they are put together, and the nodes as those so far leave them. */
import { KvError } from '../../errors.js';
import { backend, Fault, translated } from './errors.js';
import { ancestorsOf, isLeased, type Keyspace, parentOf } from './keyspace.js';
import type { Step } from './multi.js';
import { code } from './numbers.js';
import type { Node } from './wire.js';

/** What a put makes of its node: as `'keep'` leaves it, permanent, of the session, or a TTL node of so many ms. */
export type Kind = 'kept' | 'permanent' | 'ephemeral' | { readonly ttl: number };

/** The nodes concerned; the error's code where one cannot be read. */
export type Read = ReadonlyMap<string, Node | number>;

/** A node as the steps so far leave it. */
export interface State {
  readonly exists: boolean;
  /** Whether it is a directory and nothing else. */
  readonly empty: boolean;
  readonly leased: boolean;
  readonly children: number;
  /** -1 where it is not known. */
  readonly version: number;
}

const absent: State = { exists: false, empty: true, leased: false, children: 0, version: -1 };
/** What we may not look into is there, and none of our business. */
const opaque: State = { exists: true, empty: false, leased: false, children: 1, version: -1 };

export class Draft {
  readonly steps: Step[] = [];
  /** Directories that are made on the way: harmless if they are made before the rest. */
  readonly directories: Step[] = [];
  private readonly keyspace: Keyspace;
  private readonly read: Read;
  private readonly states: Map<string, State> = new Map();

  constructor(keyspace: Keyspace, read: Read) {
    this.keyspace = keyspace;
    this.read = read;
  }

  /** The node as it was read; undefined where it is not there. @throws KvError `denied` */
  readable(path: string): Node | undefined {
    const node = this.read.get(path) ?? code.noNode;
    if (typeof node !== 'number') return node;
    if (node === code.noNode) return undefined;
    throw translated(new Fault(node));
  }

  state(path: string): State {
    if (path === '/') return opaque;
    let state = this.states.get(path);
    if (state === undefined) this.states.set(path, (state = stateOf(this.read.get(path))));
    return state;
  }

  /** Takes note of what steps make of a node. */
  leave(path: string, state: State): void {
    this.states.set(path, state);
  }

  delete(path: string, version: number): void {
    this.steps.push({ delete: path, version });
    this.states.set(path, absent);
  }

  create(path: string, data: Uint8Array | undefined, kind: Kind): void {
    const leased = kind === 'ephemeral' || typeof kind === 'object';
    if (typeof kind === 'object') {
      // So that others can tell what it is: see isTtlNode.
      const mark = `${path}/~`;
      this.steps.push({ create: path, data, ttl: kind.ttl }, { create: mark, data: undefined }, { delete: mark, version: -1 });
    } else this.steps.push({ create: path, data, ephemeral: kind === 'ephemeral' });
    this.states.set(path, { exists: true, empty: data === undefined, leased, children: 0, version: 0 });
    const parent = parentOf(path);
    const above = this.state(parent);
    if (above !== opaque) this.states.set(parent, { ...above, children: above.children + 1 });
  }

  makeParents(path: string): void {
    for (const directory of ancestorsOf(path).reverse()) {
      const state = this.state(directory);
      if (state.leased)
        throw conflict(
          directory,
          `a key above ${JSON.stringify(this.keyspace.relative(path) ?? '')} has a ttl or a session: none can be below it`,
        );
      if (!state.exists) {
        this.create(directory, undefined, 'permanent');
        this.directories.push({ create: directory, data: undefined });
      }
    }
  }

  /** No step says that a node is absent; one that is made and deleted fails where it is not. */
  mustBeAbsent(path: string): void {
    const made = [path, ...ancestorsOf(path)].filter(at => !this.state(at).exists);
    for (const at of [...made].reverse()) this.steps.push({ create: at, data: undefined });
    for (const at of made) this.steps.push({ delete: at, version: -1 });
  }

  /** A child of that directory has gone: removes it, and those above it, where nothing is left in them. */
  prune(directory: string): void {
    if (directory === '/') return;
    const state = this.state(directory);
    if (state === opaque) return;
    this.states.set(directory, { ...state, children: state.children - 1 });
    this.removeEmpty(directory);
  }

  removeEmpty(directory: string): void {
    const { exists, empty, leased, children, version } = this.state(directory);
    if (!directory.startsWith(`${this.keyspace.root}/`) || !exists || !empty || leased || children > 0 || version === -1) return;
    this.delete(directory, version);
    this.prune(parentOf(directory));
  }
}

function stateOf(node: Node | number | undefined): State {
  if (node === undefined || node === code.noNode) return absent;
  if (typeof node === 'number') return opaque;
  const { data, stat } = node;
  return { exists: true, empty: data === undefined, leased: isLeased(stat), children: stat.children, version: stat.version };
}

export function conflict(key: string, message: string): KvError {
  return new KvError('conflict', message, { backend, key });
}
