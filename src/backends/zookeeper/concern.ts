/** A concern: the nodes that a transaction is about, which are read before it is planned. */
import type { DriverTransaction } from '../../driver.js';
import { ancestorsOf, type Keyspace } from './keyspace.js';

/** The nodes to be read for a transaction; guards first, so that they are never newer than what they guard. */
export function concerned(keyspace: Keyspace, { checks, ops }: DriverTransaction): { guards: string[]; nodes: string[] } {
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
