/**
 * Committing: one request for each transaction, plain puts and deletions of single keys together in one while another is
 * under way.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type Coalescer, coalesce } from '../../coalesce.js';
import { Deadlines } from '../../deadline.js';
import type { DriverOp, OpResult, Outcome } from '../../driver.js';
import { KvError, type KvErrorDetail } from '../../errors.js';
import type { Write } from '../../networked.js';
import { answersTo, givenUpError } from '../../running.js';
import { Turns } from '../../turns.js';
import type { Cluster } from './cluster.js';
import { isBound, type KnownOp, type Plan, planOf, planOfPut, refusalOf, resultsOf } from './codec.js';
import { backend, errorOf, translated, wordsOf } from './errors.js';
import type { Expiries } from './expiry.js';
import { type Keyspace, ownRecords } from './keyspace.js';
import type { Sessions } from './session.js';
import { stillBound, unbound, type Unbinding } from './unbind.js';
import { type Answer, parsed, type Step, type TxnAnswer, txnBody } from './wire.js';
import { batches, extentOf, isOfAll, isPlain, mostSteps } from './write.js';

export interface CommitterOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly sessions: Sessions;
  readonly expiries: Expiries;
  /** Told of what goes on after the answer. */
  readonly ending: (work: Promise<void>) => void;
}

/** Transactions at once. */
const width = 2;

export class Committer {
  private readonly options: CommitterOptions;
  private readonly turns: Turns = new Turns();
  private readonly deadlines: Deadlines = new Deadlines();
  private readonly together: Coalescer<Write, Outcome>;

  constructor(options: CommitterOptions) {
    this.options = options;
    this.together = coalesce<Write, Outcome>({
      run: writes => answersTo(writes, backend, waiting => this.run(waiting)),
      alone: write => this.lone(write),
      most: mostSteps * width,
      turn,
    });
  }

  /** @throws KvError */
  commit(write: Write): Promise<Outcome> {
    // What is sent at once, as one request, is in time by itself; what waits for others, or for a token, is not.
    const atOnce = this.options.cluster.inTime && this.turns.none && !this.together.busy() && isPlain(write);
    write.selfTimed = atOnce || isOfAll(write);
    return this.turns.take(extentOf(write), () => {
      if (write.abandoned) return Promise.reject(givenUpError(backend));
      return isPlain(write) ? this.together(write) : this.alone(write);
    });
  }

  close(): void {
    this.deadlines.close();
  }

  /** With a session for each ttl before it. One that is not used ends. */
  private async alone(write: Write): Promise<Outcome> {
    const { sessions, ending } = this.options;
    const { checks, timeout } = write;
    if (isOfAll(write)) return this.clear(write);
    const made: string[] = [];
    const end = async (): Promise<void> => void (await Promise.all(made.map(async id => sessions.end(id))));
    try {
      const ops = await Promise.all(
        write.ops.map(async (op): Promise<KnownOp> => {
          const session = await this.sessionFor(op, timeout);
          if (session === undefined) return { op, absent: false };
          if ('put' in op && op.session === undefined) made.push(session);
          return { op, session, absent: false };
        }),
      );
      if (write.abandoned) throw givenUpError(backend);
      const outcome = await this.send(planOf(this.options.keyspace, checks, ops), timeout);
      if (!outcome.ok) ending(end());
      return outcome;
    } catch (error) {
      // Where the answer never came the key may be bound to it, and then the ttl was to be as long as that.
      if (translated(error).outcome === undefined) ending(end());
      throw error;
    }
  }

  private async sessionFor(op: DriverOp, timeout: number): Promise<string | undefined> {
    if (!('put' in op)) return undefined;
    if (op.session !== undefined) return op.session.id;
    // Consul waits twice as long, counted from here, and the ttl counts from when it is written.
    return typeof op.ttl === 'number' ? this.options.sessions.make((op.ttl + timeout) / 2, timeout) : undefined;
  }

  private async send(first: Plan, timeout: number): Promise<Outcome> {
    for (let plan = first; ; plan = planOf(this.options.keyspace, plan.checks, plan.ops)) {
      const answer = await this.transact(plan.steps, timeout);
      const told = parsed<TxnAnswer>(answer);
      if (answer.status !== 409) return { ok: true, results: (await this.settled(plan, told, timeout)).map(wellDone) };
      const refusal = refusalOf(plan, told);
      if (refusal.type === 'failed') return { ok: false, failed: refusal.failed };
      if (refusal.type === 'error') throw refusal.error;
    }
  }

  private transact(steps: readonly Step[], timeout: number): Promise<Answer> {
    const { cluster } = this.options;
    return cluster.call({ method: 'PUT', path: '/txn', body: txnBody(steps, cluster.place) }, { repeatable: false, timeout });
  }

  /** Takes sessions off keys that are to be permanent, and keeps the clocks of those that have a ttl. */
  private async settled(plan: Plan, told: TxnAnswer, timeout: number): Promise<(OpResult | KvError)[]> {
    const { keyspace, expiries } = this.options;
    const done = resultsOf(keyspace, plan, told);
    const results: (OpResult | KvError)[] = [...done];
    const unbinding: Unbinding = { keyspace, transact: steps => this.transact(steps, timeout) };
    const pending: Promise<void>[] = [];
    for (const [i, known] of plan.ops.entries()) {
      const { op, session } = known;
      const entry = done[i]?.entry;
      if ('delete' in op) expiries.drop(op.delete);
      if (!('put' in op)) continue;
      if (session !== undefined && typeof op.ttl === 'number') expiries.set(op.put, session, op.ttl);
      else if (isBound(known, entry))
        pending.push(
          unbound(unbinding, op, entry).then(
            permanent => {
              results[i] = { entry: permanent };
              expiries.drop(op.put);
            },
            (error: unknown) => {
              results[i] = stillBound(error);
            },
          ),
        );
      else if (op.ttl !== 'keep' || session !== undefined) expiries.drop(op.put);
    }
    if (pending.length > 0) await Promise.all(pending);
    return results;
  }

  /**
   * Deletes all below the root but our own records: Consul cannot leave out a part, so by the names of the first level.
   * Each step has the timeout.
   */
  private async clear(write: Write): Promise<Outcome> {
    const { cluster, keyspace } = this.options;
    const { checks, timeout } = write;
    const inTime = (step: Promise<Answer>, detail: KvErrorDetail): Promise<Answer> =>
      this.deadlines.race(step, { timeout }, 'commit', { ...detail, backend });
    const query = { keys: '', separator: '/', consistent: '' };
    const request = { method: 'GET', path: '/kv/{key}', key: keyspace.root, query } as const;
    const listed = await inTime(cluster.call(request, { repeatable: true, timeout }), {});
    const names = listed.status === 404 ? [] : parsed<readonly string[]>(listed);
    const own = keyspace.key(ownRecords);
    const deletions = names.filter(name => name !== own).map((key): Step => ({ verb: key.endsWith('/') ? 'delete-tree' : 'delete', key }));
    const held = checks.filter(check => 'held' in check);
    const room = mostSteps - checks.length;
    for (let at = 0; at < deletions.length || at === 0; at += room) {
      // Entries are as they were read when it begins; the lock must be ours to its end.
      const plan = planOf(keyspace, at === 0 ? checks : held, []);
      const steps = [...plan.steps, ...deletions.slice(at, at + room)];
      if (steps.length === 0) break;
      if (write.abandoned) throw givenUpError(backend);
      const answer = await inTime(this.transact(steps, timeout), { outcome: 'unknown' });
      if (answer.status !== 409) continue;
      const refusal = refusalOf({ ...plan, steps }, parsed<TxnAnswer>(answer));
      if (refusal.type === 'failed') return { ok: false, failed: refusal.failed };
      if (refusal.type === 'error') throw refusal.error;
    }
    return { ok: true, results: [{}] };
  }

  /** Carries out a batch. Its keys differ: writes of one key take turns. */
  private async run(writes: readonly Write[]): Promise<(Outcome | Error)[]> {
    const outcomes = new Map<Write, Outcome | Error>();
    await Promise.all([...batches(writes)].map(async batch => this.batch(batch, outcomes)));
    return writes.map(write => outcomes.get(write) as Outcome | Error);
  }

  private lone(write: Write): Promise<Outcome> {
    const [op] = write.ops;
    // A deletion that finds nothing is settled by that; by itself it would be sent again as the check that there is nothing.
    return op !== undefined && 'put' in op ? this.send(planOfPut(this.options.keyspace, op), write.timeout) : this.batched(write);
  }

  private async batched(write: Write): Promise<Outcome> {
    const outcomes = new Map<Write, Outcome | Error>();
    await this.batch([write], outcomes);
    const outcome = outcomes.get(write) ?? givenUpError(backend);
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }

  private async batch(writes: readonly Write[], outcomes: Map<Write, Outcome | Error>): Promise<void> {
    const [first] = writes;
    if (first === undefined) return;
    const timeout = Math.max(...writes.map(write => write.timeout));
    const plan = planOf(
      this.options.keyspace,
      [],
      writes.map(({ ops: [op] }) => ({ op: op as DriverOp, absent: false })),
    );
    try {
      const answer = await this.transact(plan.steps, timeout);
      const told = parsed<TxnAnswer>(answer);
      if (answer.status === 409) return await this.rest(writes, plan, told, outcomes);
      const results = await this.settled(plan, told, timeout);
      for (const [i, write] of writes.entries()) {
        const result = results[i] as OpResult | KvError;
        outcomes.set(write, KvError.is(result) ? result : { ok: true, results: [result] });
      }
    } catch (error) {
      const known = translated(error);
      const refused = (known.code === 'denied' || known.code === 'invalid') && known.outcome === undefined && writes.length > 1;
      // One of them is refused, and the others are not to suffer for it.
      if (refused) await Promise.all(writes.map(async write => this.batch([write], outcomes)));
      else for (const write of writes) if (!outcomes.has(write)) outcomes.set(write, known);
    }
  }

  /** Nothing was done: settles those that it was refused for, and sends the others again. */
  private async rest(writes: readonly Write[], plan: Plan, told: TxnAnswer, outcomes: Map<Write, Outcome | Error>): Promise<void> {
    for (const { OpIndex, What } of told.Errors ?? []) {
      const step = plan.steps[OpIndex];
      const write = writes[step?.op ?? -1];
      if (write === undefined) continue;
      const refused = wordsOf(What, What);
      if (refused !== undefined) outcomes.set(write, errorOf(refused));
      else if (step?.verb === 'get') outcomes.set(write, { ok: true, results: [{ existed: false }] });
    }
    const left = writes.filter(write => !outcomes.has(write));
    if (left.length === writes.length) throw new KvError('internal', 'consul refused a transaction without a reason', { backend });
    for (const write of writes) {
      const [op] = write.ops;
      if (outcomes.has(write) && op !== undefined && 'delete' in op) this.options.expiries.drop(op.delete);
    }
    await this.batch(left, outcomes);
  }
}

/** @throws what it is instead of a result */
function wellDone(result: OpResult | KvError): OpResult {
  if (KvError.is(result)) throw result;
  return result;
}
