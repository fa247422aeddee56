/**
 * A plan: transactions of ours as the steps of one multi, by what was read of the nodes that they concern.
 *
 * Whatever is no longer so when the steps are carried out makes ZooKeeper refuse all of them, and then a new plan is made.
 */
import type { DriverCheck, DriverOp, FailedCheck, OpResult } from '../../driver.js';
import { conflict, Draft, type Kind, type Read } from './draft.js';
import { entryOf, type Keyspace, parentOf } from './keyspace.js';
import type { Step } from './multi.js';
import { deletionsOf, type Tree } from './tree-deletion.js';
import type { Stat } from './wire.js';

/** What came of the steps: the stat that each `set` answered, and where the server was. */
export interface Done {
  readonly stats: readonly (Stat | undefined)[];
  readonly zxid: bigint;
}

export class Plan {
  private readonly keyspace: Keyspace;
  private readonly draft: Draft;
  private readonly bumped: Set<string> = new Set();

  constructor(keyspace: Keyspace, read: Read) {
    this.keyspace = keyspace;
    this.draft = new Draft(keyspace, read);
  }

  get steps(): readonly Step[] {
    return this.draft.steps;
  }

  /** As {@link Draft.directories}. */
  get directories(): readonly Step[] {
    return this.draft.directories;
  }

  /** Which of the checks fail by what was read. @throws KvError `denied` */
  failed(checks: readonly DriverCheck[]): FailedCheck[] {
    return checks.flatMap((check): FailedCheck[] => {
      if ('held' in check) return this.draft.readable(this.keyspace.path(check.held.key)) === undefined ? [{ key: check.held.key }] : [];
      const { key, entry } = check;
      const path = this.keyspace.path(key);
      const node = this.draft.readable(path);
      if (node?.data === undefined) return entry === undefined ? [] : [{ key, current: undefined }];
      return node.stat.mzxid === entry?.revision ? [] : [{ key, current: entryOf(key, node.data, node.stat) }];
    });
  }

  /** Steps that fail where a check would. `ops` are those of the same transaction. */
  check(check: DriverCheck, ops: readonly DriverOp[]): void {
    if ('held' in check) {
      this.draft.steps.push({ check: this.keyspace.path(check.held.key), version: -1 });
      return;
    }
    const path = this.keyspace.path(check.key);
    const { exists, version } = this.draft.state(path);
    if (exists) {
      this.guarded(check.key);
      this.draft.steps.push({ check: path, version });
    } else if (!ops.some(op => 'put' in op && op.put === check.key)) this.draft.mustBeAbsent(path);
    // A put of it creates, which fails where it is there.
  }

  /** @throws KvError `conflict` where ZooKeeper has no place for the node */
  put(op: Extract<DriverOp, { put: string }>, kind: Kind): (done: Done) => OpResult {
    const { put: key, value } = op;
    const path = this.keyspace.path(key);
    const state = this.draft.state(path);
    const stays = kind === 'kept' || kind === 'permanent';
    if (state.exists && (kind === 'kept' || (kind === 'permanent' && !state.leased))) {
      const at = this.draft.steps.push({ set: path, data: value, version: -1 }) - 1;
      this.draft.leave(path, { ...state, empty: false, version: -1 });
      return done => ({ entry: entryOf(key, value, done.stats[at] as Stat) });
    }
    if (state.exists) {
      if (state.children > 0) throw conflict(key, `the key "${key}" has keys below it: none with a ttl or a session can`);
      this.draft.steps.push({ delete: path, version: state.version });
    } else this.draft.makeParents(path);
    this.bump(key);
    this.draft.create(path, value, kind);
    return ({ zxid }) => ({ entry: { key, value, revision: zxid, created: zxid, leased: !stays } });
  }

  delete(key: string): OpResult {
    const path = this.keyspace.path(key);
    const state = this.draft.state(path);
    if (!state.exists || state.empty) return { existed: false };
    if (state.children > 0) {
      this.draft.steps.push({ set: path, data: undefined, version: state.version });
      this.draft.leave(path, { ...state, empty: true, version: state.version === -1 ? -1 : state.version + 1 });
    } else {
      this.draft.delete(path, state.version);
      this.draft.prune(parentOf(path));
    }
    return { existed: true };
  }

  deletePrefix(prefix: string, tree: Tree): OpResult {
    const root = this.keyspace.at({ prefix });
    let left = this.draft.state(root).children;
    for (const step of deletionsOf(tree)) {
      if ('delete' in step) {
        this.draft.delete(step.delete, step.version);
        if (parentOf(step.delete) === root) left--;
      } else this.draft.steps.push(step);
    }
    for (const path of tree.gone) if (parentOf(path) === root && this.draft.state(path).exists) left--;
    this.draft.leave(root, { ...this.draft.state(root), children: left });
    if (prefix !== '' && tree.nodes.size > 0 && !tree.occupied.has(root)) this.draft.removeEmpty(root);
    return { existed: [...tree.nodes.values()].some(({ holds }) => holds) };
  }

  /** Writes the guard of a key: who compares it with what was read before is refused. */
  private bump(key: string): void {
    const guard = this.keyspace.guard(key);
    if (this.bumped.has(guard)) return;
    this.bumped.add(guard);
    const state = this.draft.state(guard);
    if (state.exists) this.draft.steps.push({ set: guard, data: undefined, version: -1 });
    else {
      this.draft.makeParents(guard);
      this.draft.create(guard, undefined, 'permanent');
    }
  }

  /** No creation of the key since its guard was read. */
  private guarded(key: string): void {
    const guard = this.keyspace.guard(key);
    if (this.bumped.has(guard)) return;
    const state = this.draft.state(guard);
    if (state.exists) this.draft.steps.push({ check: guard, version: state.version });
    else this.bump(key);
  }
}
