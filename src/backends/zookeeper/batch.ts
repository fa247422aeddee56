/** Batches: which writes travel together, and which have to wait for each other. */
import type { DriverOp, DriverTransaction } from '../../driver.js';
import type { Write } from '../../networked.js';
import type { Extent } from '../../turns.js';
import { portions } from '../../portions.js';
import { ownRecords } from './keyspace.js';

export type Put = Extract<DriverOp, { put: string }>;

/** Bytes of values in one batch. */
const mostBytes = 2 ** 19;
const nothing: readonly never[] = [];

/** A put, delete, or compare-and-set of one key that belongs to no session: what a batch is made of. */
export function isSimple({ checks, ops }: Write): boolean {
  const [op] = ops;
  const [check] = checks;
  if (op === undefined || 'deletePrefix' in op || ops.length > 1 || checks.length > 1) return false;
  if (check !== undefined && 'key' in check && check.key !== ('put' in op ? op.put : op.delete)) return false;
  return 'delete' in op || (typeof op.ttl !== 'number' && op.session === undefined);
}

/** A put that does not look at what was there. */
export function isOverwrite({ checks, ops: [op, second] }: Write): boolean {
  return (
    checks.length === 0 && second === undefined && op !== undefined && 'put' in op && typeof op.ttl !== 'number' && op.session === undefined
  );
}

/** A deleteTree with nothing but locks beside it: what is too much for one request goes in several. */
export function mayTakeSteps({ checks, ops: [op, second] }: DriverTransaction): boolean {
  return op !== undefined && 'deletePrefix' in op && second === undefined && checks.every(check => 'held' in check);
}

/** Whether it names the session that its keys are to belong to. */
export function isNamed({ ops }: Write): boolean {
  return ops.some(op => 'put' in op && op.session !== undefined);
}

/** Parts that a server takes in one request each. */
export function batches(writes: readonly Write[]): Iterable<readonly Write[]> {
  return portions(writes, sizeOf, { bytes: mostBytes });
}

/** Bytes, roughly. */
function sizeOf({ ops: [op] }: Write): number {
  return op !== undefined && 'put' in op ? op.value.length + op.put.length * 3 + 200 : 1000;
}

export function timeoutOf(writes: readonly Write[]): number {
  return Math.max(...writes.map(({ timeout }) => timeout));
}

export function extentOf({ ops }: Write): Extent {
  const [only] = ops;
  if (only !== undefined && ops.length === 1 && 'put' in only && only.session === undefined) return { keys: [only.put], prefixes: nothing };
  return {
    keys: ops.flatMap(op => ('put' in op ? [op.put, ...queueOf(op)] : 'delete' in op ? [op.delete] : [])),
    prefixes: ops.flatMap(op => ('deletePrefix' in op ? [op.deletePrefix] : [])),
  };
}

/** The queue that a contender enters: those of one store stand in it in the order of asking. */
function queueOf({ put, session }: Put): string[] {
  return session !== undefined && put.startsWith(ownRecords) ? [put.slice(0, put.lastIndexOf('/') + 1)] : [];
}
