/**
 * A plan: transactions of ours as the steps of one multi, by what was read of the nodes that they concern.
 *
 * Whatever is no longer so when the steps are carried out makes ZooKeeper refuse all of them, and then a new plan is made.
 */
import type { DriverCheck, DriverOp, FailedCheck, OpResult } from '../../driver.js';
import { KvError } from '../../errors.js';
import { backend, Fault, translated } from './errors.js';
import { ancestorsOf, entryOf, isLeased, type Keyspace, parentOf } from './keyspace.js';
import type { Step } from './multi.js';
import { deletionsOf, type Tree } from './tree-deletion.js';
import { code } from './numbers.js';
import type { Node, Stat } from './wire.js';

/** What a put makes of its node: as `'keep'` leaves it, permanent, of the session, or a TTL node of so many ms. */
export type Kind = 'kept' | 'permanent' | 'ephemeral' | { readonly ttl: number };

export interface Transaction {
  readonly checks: readonly DriverCheck[];
  readonly ops: readonly DriverOp[];
}

/** What came of the steps: the stat that each `set` answered, and where the server was. */
export interface Done {
  readonly stats: readonly (Stat | undefined)[];
  readonly zxid: bigint;
}

export type Read = ReadonlyMap<string, Node | number>;

/** A node as the steps so far leave it. */
interface State {
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

/** The nodes to be read for a transaction; guards first, so that they are never newer than what they guard. */
export function concerned(keyspace: Keyspace, { checks, ops }: Transaction): { guards: string[]; nodes: string[] } {
  const guards: string[] = [];
  const nodes: string[] = [];
  const withAncestors = (path: string): void => {
    nodes.push(path, ...ancestorsOf(path));
  };
  const guarded = (key: string): void => {
    const guard = keyspace.guard(key);
    guards.push(guard);
    nodes.push(...ancestorsOf(guard));
  };
  for (const check of checks) {
    if ('held' in check) nodes.push(keyspace.path(check.held.key));
    else {
      withAncestors(keyspace.path(check.key));
      guarded(check.key);
    }
  }
  for (const op of ops) {
    if ('put' in op) guarded(op.put);
    withAncestors(
      'put' in op ? keyspace.path(op.put) : 'delete' in op ? keyspace.path(op.delete) : keyspace.at({ prefix: op.deletePrefix }),
    );
  }
  return { guards, nodes };
}

export class Plan {
  readonly steps: Step[] = [];
  /** Directories that are made on the way: harmless if they are made before the rest. */
  readonly directories: Step[] = [];
  private readonly keyspace: Keyspace;
  private readonly read: Read;
  private readonly states: Map<string, State> = new Map();
  private readonly bumped: Set<string> = new Set();

  constructor(keyspace: Keyspace, read: Read) {
    this.keyspace = keyspace;
    this.read = read;
  }

  /** Which of the checks fail by what was read. @throws KvError `denied` */
  failed(checks: readonly DriverCheck[]): FailedCheck[] {
    return checks.flatMap((check): FailedCheck[] => {
      if ('held' in check) return this.readable(this.keyspace.path(check.held.key)) === undefined ? [{ key: check.held.key }] : [];
      const { key, entry } = check;
      const path = this.keyspace.path(key);
      const node = this.readable(path);
      if (node?.data === undefined) return entry === undefined ? [] : [{ key, current: undefined }];
      return node.stat.mzxid === entry?.revision ? [] : [{ key, current: entryOf(key, node.data, node.stat) }];
    });
  }

  /** Steps that fail where a check would. `ops` are those of the same transaction. */
  check(check: DriverCheck, ops: readonly DriverOp[]): void {
    if ('held' in check) {
      this.steps.push({ check: this.keyspace.path(check.held.key), version: -1 });
      return;
    }
    const path = this.keyspace.path(check.key);
    const { exists, version } = this.state(path);
    if (exists) {
      this.guarded(check.key);
      this.steps.push({ check: path, version });
    } else if (!ops.some(op => 'put' in op && op.put === check.key)) this.mustBeAbsent(path);
    // A put of it creates, which fails where it is there.
  }

  /** @throws KvError `conflict` where ZooKeeper has no place for the node */
  put(op: Extract<DriverOp, { put: string }>, kind: Kind): (done: Done) => OpResult {
    const { put: key, value } = op;
    const path = this.keyspace.path(key);
    const state = this.state(path);
    const stays = kind === 'kept' || kind === 'permanent';
    if (state.exists && (kind === 'kept' || (kind === 'permanent' && !state.leased))) {
      const at = this.steps.push({ set: path, data: value, version: -1 }) - 1;
      this.states.set(path, { ...state, empty: false, version: -1 });
      return done => ({ entry: entryOf(key, value, done.stats[at] as Stat) });
    }
    if (state.exists) {
      if (state.children > 0) throw conflict(key, `the key "${key}" has keys below it: none with a ttl or a session can`);
      this.steps.push({ delete: path, version: state.version });
    } else this.makeParents(path);
    this.bump(key);
    this.create(path, value, kind);
    return ({ zxid }) => ({ entry: { key, value, revision: zxid, created: zxid, leased: !stays } });
  }

  delete(key: string): OpResult {
    const path = this.keyspace.path(key);
    const state = this.state(path);
    if (!state.exists || state.empty) return { existed: false };
    if (state.children > 0) {
      this.steps.push({ set: path, data: undefined, version: state.version });
      this.states.set(path, { ...state, empty: true, version: state.version === -1 ? -1 : state.version + 1 });
    } else {
      this.steps.push({ delete: path, version: state.version });
      this.states.set(path, absent);
      this.prune(parentOf(path));
    }
    return { existed: true };
  }

  deletePrefix(prefix: string, tree: Tree): OpResult {
    const root = this.keyspace.at({ prefix });
    let left = this.state(root).children;
    for (const step of deletionsOf(tree)) {
      this.steps.push(step);
      const path = 'delete' in step ? step.delete : (step as { set: string }).set;
      if ('delete' in step) this.states.set(path, absent);
      if ('delete' in step && parentOf(path) === root) left--;
    }
    for (const path of tree.gone) if (parentOf(path) === root && this.state(path).exists) left--;
    this.states.set(root, { ...this.state(root), children: left });
    if (prefix !== '' && tree.nodes.size > 0 && !tree.occupied.has(root)) this.removeEmpty(root);
    return { existed: [...tree.nodes.values()].some(({ holds }) => holds) };
  }

  /** The node as it was read; undefined where it is not there. */
  private readable(path: string): Node | undefined {
    const node = this.read.get(path) ?? code.noNode;
    if (typeof node !== 'number') return node;
    if (node === code.noNode) return undefined;
    throw translated(new Fault(node));
  }

  private state(path: string): State {
    if (path === '/') return opaque;
    let state = this.states.get(path);
    if (state === undefined) this.states.set(path, (state = stateOf(this.read.get(path))));
    return state;
  }

  private makeParents(path: string): void {
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

  private create(path: string, data: Uint8Array | undefined, kind: Kind): void {
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

  /** Writes the guard of a key: who compares it with what was read before is refused. */
  private bump(key: string): void {
    const guard = this.keyspace.guard(key);
    if (this.bumped.has(guard)) return;
    this.bumped.add(guard);
    const state = this.state(guard);
    if (state.exists) this.steps.push({ set: guard, data: undefined, version: -1 });
    else {
      this.makeParents(guard);
      this.create(guard, undefined, 'permanent');
    }
  }

  /** No creation of the key since its guard was read. */
  private guarded(key: string): void {
    const guard = this.keyspace.guard(key);
    if (this.bumped.has(guard)) return;
    const state = this.state(guard);
    if (state.exists) this.steps.push({ check: guard, version: state.version });
    else this.bump(key);
  }

  /** No step says that a node is absent; one that is made and deleted fails where it is not. */
  private mustBeAbsent(path: string): void {
    const made = [path, ...ancestorsOf(path)].filter(at => !this.state(at).exists);
    for (const at of [...made].reverse()) this.steps.push({ create: at, data: undefined });
    for (const at of made) this.steps.push({ delete: at, version: -1 });
  }

  /** A child of that directory has gone: removes it, and those above it, where nothing is left in them. */
  private prune(directory: string): void {
    if (directory === '/') return;
    const state = this.state(directory);
    if (state === opaque) return;
    this.states.set(directory, { ...state, children: state.children - 1 });
    this.removeEmpty(directory);
  }

  private removeEmpty(directory: string): void {
    const { exists, empty, leased, children, version } = this.state(directory);
    if (!directory.startsWith(`${this.keyspace.root}/`) || !exists || !empty || leased || children > 0 || version === -1) return;
    this.steps.push({ delete: directory, version });
    this.states.set(directory, absent);
    this.prune(parentOf(directory));
  }
}

function stateOf(node: Node | number | undefined): State {
  if (node === undefined || node === code.noNode) return absent;
  if (typeof node === 'number') return opaque;
  const { data, stat } = node;
  return { exists: true, empty: data === undefined, leased: isLeased(stat), children: stat.children, version: stat.version };
}

function conflict(key: string, message: string): KvError {
  return new KvError('conflict', message, { backend, key });
}
