/**
 * Committing: one request for each transaction, those of single keys together in one while another is under way.
 */
import { type Coalescer, coalesce } from '../../coalesce.js';
import type { DriverCheck, DriverOp, DriverTransaction, Outcome } from '../../driver.js';
import { KvError } from '../../errors.js';
import type { Write } from '../../networked.js';
import { answersTo, givenUpError } from '../../running.js';
import { type Extent, Turns } from '../../turns.js';
import { portions } from '../../portions.js';
import type { Cluster } from './cluster.js';
import { entryOfPut, failedOf, type LeasedOp, putOf, resultOf, resultsOf, transactionOf } from './codec.js';
import { backend, translated } from './errors.js';
import { type Keyspace, ownRecords } from './keyspace.js';
import { setImmediate as turn } from 'node:timers/promises';
import type { RequestOp, ResponseOp } from './wire.js';

export interface CommitterOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  /** Told of what goes on after the answer. */
  readonly ending: (work: Promise<void>) => void;
}

/** Operations in one batch, nested ones counted with those around them: a server takes 128 at its defaults. */
const most = 120;
/** Bytes in one batch. */
const mostBytes = 2 ** 20;

export class Committer {
  private readonly cluster: Cluster;
  private readonly keyspace: Keyspace;
  private readonly ending: CommitterOptions['ending'];
  private readonly turns: Turns = new Turns();
  private readonly together: Coalescer<Write, Outcome>;

  constructor({ cluster, keyspace, ending }: CommitterOptions) {
    this.cluster = cluster;
    this.keyspace = keyspace;
    this.ending = ending;
    this.together = coalesce<Write, Outcome>({
      run: writes => this.run(writes),
      alone: write => this.send(write, leaseless(write.ops)),
      most,
      turn,
    });
  }

  /** @throws KvError */
  commit(write: Write): Promise<Outcome> {
    // What is sent at once, as one request, is in time by itself; what waits for others is not.
    write.selfTimed = this.turns.none && !this.together.busy() && isSimple(write);
    return this.turns.take(extentOf(write), () => {
      if (write.abandoned) return Promise.reject(givenUpError(backend));
      return isSimple(write) ? this.together(write) : this.leased(write);
    });
  }

  /** With a lease for each ttl before it. One that is not used is given back. */
  private async leased(write: Write): Promise<Outcome> {
    const leases = new Map<number, Promise<string>>();
    const grant = (ttl: number): Promise<string> => {
      let lease = leases.get(ttl);
      if (lease === undefined) leases.set(ttl, (lease = this.grant(ttl, write.timeout)));
      return lease;
    };
    const ops = await Promise.all(write.ops.map(async op => leasedOp(op, grant)));
    if (write.abandoned) throw givenUpError(backend);
    const outcome = await this.send(write, ops);
    if (!outcome.ok) for (const lease of leases.values()) this.ending(this.revoke(lease, write.timeout));
    return outcome;
  }

  private async grant(ttl: number, timeout: number): Promise<string> {
    const seconds = Math.ceil(ttl / 1000);
    // A lease without a key does no harm: its grant can be asked for again.
    const { ID } = await this.cluster.call({ send: (client, sending) => client.grant(seconds, sending), repeatable: true, timeout });
    return ID;
  }

  private async revoke(lease: Promise<string>, timeout: number): Promise<void> {
    const id = await lease;
    await this.cluster.call({ send: (client, sending) => client.revoke(id, sending), repeatable: true, timeout });
  }

  /** Sends one transaction by itself. */
  private send(write: Write, ops: readonly LeasedOp[]): Promise<Outcome> {
    const [only] = ops;
    const isLone = only !== undefined && ops.length === 1 && write.checks.length === 0;
    return (isLone ? this.lone(only, write.timeout) : undefined) ?? this.transact(write, ops);
  }

  private async transact({ checks, timeout }: Write, ops: readonly LeasedOp[]): Promise<Outcome> {
    const request = transactionOf(this.keyspace, checks, ops);
    const { succeeded, responses, header } = await this.cluster.call({
      send: (client, sending) => client.transact(request, sending),
      repeatable: ops.length === 0,
      timeout,
    });
    return this.outcome(checks, ops, succeeded, responses, header.revision);
  }

  /** The plain request for one op without a check, where there is one. */
  private lone(leased: LeasedOp, timeout: number): Promise<Outcome> | undefined {
    const { op, lease } = leased;
    const { cluster, keyspace } = this;
    if ('put' in op) {
      if (op.ttl === 'keep') return undefined;
      const request = putOf(keyspace, op, lease);
      return cluster
        .call({ send: (client, sending) => client.put(request, sending), repeatable: false, timeout })
        .then(({ prev_kv, header }) => ({ ok: true, results: [{ entry: entryOfPut(op, lease !== undefined, prev_kv, header.revision) }] }));
    }
    const pieces = keyspace.pieces('delete' in op ? { key: op.delete } : { prefix: op.deletePrefix });
    const [piece] = pieces;
    if (piece === undefined || pieces.length > 1) return undefined;
    return cluster
      .call({ send: (client, sending) => client.delete(piece, sending), repeatable: false, timeout })
      .then(answer => ({ ok: true, results: resultsOf([leased], [{ response_delete_range: answer }], answer.header.revision) }));
  }

  private outcome(
    checks: readonly DriverCheck[],
    ops: readonly LeasedOp[],
    succeeded: boolean,
    responses: readonly ResponseOp[],
    revision: string,
  ): Outcome {
    return succeeded ? { ok: true, results: resultsOf(ops, responses, revision) } : { ok: false, failed: failedOf(checks, responses) };
  }

  /** Carries out a batch. Its keys differ: writes of one key take turns. */
  private async run(writes: readonly Write[]): Promise<(Outcome | Error)[]> {
    const outcomes: (Outcome | Error)[] = [];
    for (const batch of portions(writes, sizeOf, { bytes: mostBytes }))
      outcomes.push(...(await answersTo(batch, backend, waiting => this.batch(waiting))));
    return outcomes;
  }

  private async batch(writes: readonly Write[]): Promise<(Outcome | Error)[]> {
    const [only, second] = writes;
    if (only !== undefined && second === undefined) return [await this.alone(only)];
    const success = writes.map(write => this.nested(write));
    try {
      const { responses, header } = await this.cluster.call({
        send: (client, sending) => client.transact({ compare: [], success, failure: [] }, sending),
        repeatable: false,
        timeout: Math.max(...writes.map(({ timeout }) => timeout)),
      });
      return writes.map((write, i) => this.answer(write, responses[i] as ResponseOp, header.revision));
    } catch (error) {
      const known = translated(error);
      const refused = known.code === 'denied' || known.code === 'invalid';
      // One of them is refused, and the others are not to suffer for it.
      return refused && known.outcome === undefined ? Promise.all(writes.map(write => this.alone(write))) : writes.map(() => known);
    }
  }

  private alone(write: Write): Promise<Outcome | Error> {
    return this.send(write, leaseless(write.ops)).catch((error: unknown) => translated(error));
  }

  private nested({ checks, ops }: Write): RequestOp {
    if (checks.length > 0) return { request_txn: transactionOf(this.keyspace, checks, leaseless(ops)) };
    const op = ops[0] as PlainOp;
    return 'put' in op
      ? { request_put: putOf(this.keyspace, op, undefined) }
      : { request_delete_range: { key: this.keyspace.key(op.delete) } };
  }

  private answer({ checks, ops }: Write, response: ResponseOp, revision: string): Outcome {
    if (checks.length === 0) return { ok: true, results: [resultOf(ops[0] as PlainOp, undefined, response, revision)] };
    const nested = response.response_txn;
    if (nested === undefined) throw new KvError('internal', 'etcd gave no answer for a transaction in a batch', { backend });
    return this.outcome(checks, leaseless(ops), nested.succeeded, nested.responses, revision);
  }
}

/**
 * A put, delete, or compare-and-set of one key: what a batch is made of. etcd compares for all of a batch before it
 * writes any of it, so a check of a key that another member of the batch writes would see what was there before.
 */
function isSimple({ checks, ops }: DriverTransaction): boolean {
  const op = ops[0];
  const check = checks[0];
  if (op === undefined || 'deletePrefix' in op || ops.length > 1 || checks.length > 1) return false;
  if (check !== undefined && 'key' in check && check.key !== ('put' in op ? op.put : op.delete)) return false;
  return 'delete' in op || (op.ttl === undefined && op.session === undefined);
}

/** What a batch has besides compare-and-sets. */
type PlainOp = Exclude<DriverOp, { deletePrefix: string }>;

function leaseless(ops: readonly DriverOp[]): LeasedOp[] {
  return ops.map(op => ({ op }));
}

async function leasedOp(op: DriverOp, grant: (ttl: number) => Promise<string>): Promise<LeasedOp> {
  if (!('put' in op)) return { op };
  if (op.session !== undefined) return { op, lease: BigInt(`0x${op.session.id}`).toString() };
  return typeof op.ttl === 'number' ? { op, lease: await grant(op.ttl) } : { op };
}

/** Bytes, roughly: a key of a compare-and-set stands there three times. */
function sizeOf({ ops: [op] }: Write): number {
  return op !== undefined && 'put' in op ? op.value.length + op.put.length * 3 + 100 : 1000;
}

function extentOf({ ops }: Write): Extent {
  const only = ops[0];
  // By far the most.
  if (only !== undefined && ops.length === 1 && 'put' in only && only.session === undefined) return { keys: [only.put], prefixes: [] };
  return {
    keys: ops.flatMap(op => ('put' in op ? [op.put, ...queueOf(op)] : 'delete' in op ? [op.delete] : [])),
    prefixes: ops.flatMap(op => ('deletePrefix' in op ? [op.deletePrefix] : [])),
  };
}

/** The queue that a contender enters: those of one store stand in it in the order of asking. */
function queueOf({ put, session }: Extract<DriverOp, { put: string }>): string[] {
  return session !== undefined && put.startsWith(ownRecords) ? [put.slice(0, put.lastIndexOf('/') + 1)] : [];
}
