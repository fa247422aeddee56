/** A write on its way: what it touches, whether it can travel with others, and with how many. */
import type { Write } from '../../networked.js';
import type { Extent } from '../../turns.js';
import { portions } from '../../portions.js';
import { stepBytes } from './wire.js';

/** Steps in one transaction, at a server's defaults. */
export const mostSteps = 64;
/** Bytes in one batch. */
const mostBytes = 480_000;

/** A put or deletion of one key that nothing else hangs on: what a batch is made of, since one refused step refuses all. */
export function isPlain({ checks, ops }: Write): boolean {
  const [op] = ops;
  if (op === undefined || 'deletePrefix' in op || ops.length > 1 || checks.length > 0) return false;
  return 'delete' in op || (typeof op.ttl !== 'number' && op.session === undefined);
}

/** A deleteTree of the root, which takes many steps. */
export function isOfAll({ ops: [op] }: Write): boolean {
  return op !== undefined && 'deletePrefix' in op && op.deletePrefix === '';
}

/** Parts that a server takes in one request each. */
export function batches(writes: readonly Write[]): Iterable<readonly Write[]> {
  return portions(writes, sizeOf, { bytes: mostBytes, items: mostSteps, count: stepsOf });
}

/** A deletion asks first whether there is anything. */
function stepsOf({ ops: [op] }: Write): number {
  return op !== undefined && 'delete' in op ? 2 : 1;
}

function sizeOf({ ops: [op] }: Write): number {
  return op !== undefined && 'put' in op ? stepBytes({ verb: 'set', key: op.put, value: op.value }) : 1000;
}

export function extentOf({ ops }: Write): Extent {
  const only = ops[0];
  // By far the most.
  if (only !== undefined && ops.length === 1 && 'put' in only) return { keys: [only.put], prefixes: [] };
  return {
    keys: ops.flatMap(op => ('put' in op ? [op.put] : 'delete' in op ? [op.delete] : [])),
    prefixes: ops.flatMap(op => ('deletePrefix' in op ? [op.deletePrefix] : [])),
  };
}
