/**
 * Deleting trees: the nodes as they were found when it began, those below others first. What others put in meanwhile
 * stays, and so do the directories above it.
 */
import { KvError } from '../../errors.js';
import { portions } from '../../portions.js';
import type { Route } from './call.js';
import { backend, Fault, translated } from './errors.js';
import { ancestorsOf, type Keyspace } from './keyspace.js';
import { type MultiAnswer, sizeOfMulti, type Step } from './multi.js';
import type { InTime } from './trips.js';
import { readsOf, walk } from './walk.js';
import { code } from './numbers.js';
import { type Access, type Answer, type Request, sync } from './wire.js';

/** The nodes below a directory as they were found, those above others first. */
export interface Tree {
  readonly nodes: ReadonlyMap<string, { readonly holds: boolean }>;
  /** Those that had gone, and those that others have put something into, when they were to be deleted. */
  readonly gone: Set<string>;
  readonly occupied: Set<string>;
}

/** Bytes of deletions in one step of a large tree. */
const mostStepBytes = 2 ** 19;

/** @param timeout  ms of each round trip */
export async function treeBelow(
  keyspace: Keyspace,
  prefix: string,
  route: Route,
  { timeout, inTime }: { readonly timeout: number; readonly inTime: InTime },
): Promise<Tree> {
  const nodes = new Map<string, { holds: boolean }>();
  const root = keyspace.at({ prefix });
  await route.call({
    send: async connection => {
      const send = <T>(request: Request<T>): Promise<Answer<T>> => inTime(connection.send(request, performance.now() + timeout));
      const reads = readsOf(send);
      await send(sync(root));
      await walk(reads, root, (path, { data }) => {
        if (path === root) return true;
        const seen = keyspace.isSeen({ prefix }, path);
        if (seen) nodes.set(path, { holds: data !== undefined });
        return seen;
      });
    },
    repeatable: true,
    timeout,
  });
  return { nodes, gone: new Set(), occupied: new Set() };
}

/** The deletion of what was found, those below others first. */
export function deletionsOf({ nodes, gone, occupied }: Tree): Step[] {
  return [...nodes].reverse().flatMap(([path, { holds }]): Step[] => {
    if (gone.has(path)) return [];
    if (!occupied.has(path)) return [{ delete: path, version: -1 }];
    return holds ? [{ set: path, data: undefined, version: -1 }] : [];
  });
}

/** Takes note of why a step was refused that deletes a tree; false where it does not. */
export function heed(tree: Tree, step: Step, refused: number): boolean {
  const path = 'delete' in step ? step.delete : 'set' in step ? step.set : undefined;
  if (path === undefined) return false;
  if (refused === code.noNode && tree.nodes.has(path)) {
    tree.gone.add(path);
    return true;
  }
  if (refused !== code.notEmpty) return false;
  tree.occupied.add(path);
  for (const above of ancestorsOf(path)) if (tree.nodes.has(above)) tree.occupied.add(above);
  return tree.nodes.has(path);
}

/**
 * Deletes what is too much for one request in several, each with the same fences before it.
 *
 * @throws KvError `conflict` once a fence does not hold any more
 */
export async function deleteStepwise(
  tree: Tree,
  { fences, acl, multi }: { fences: readonly Step[]; acl: readonly Access[]; multi: (steps: readonly Step[]) => Promise<MultiAnswer> },
): Promise<void> {
  for (let left = deletionsOf(tree); left.length > 0; left = deletionsOf(tree)) {
    const [portion = left] = portions(left, step => sizeOfMulti([step], acl), { bytes: mostStepBytes });
    const steps = [...fences, ...portion];
    const answer = await multi(steps);
    // What others have put something into has been emptied, and is left.
    if (answer.ok) for (const step of portion) tree.gone.add('delete' in step ? step.delete : (step as { set: string }).set);
    else if (!heed(tree, steps[answer.at] as Step, answer.code)) {
      if (answer.code === code.noNode) throw new KvError('conflict', 'the lock is no longer held', { backend });
      throw translated(new Fault(answer.code));
    }
  }
}
