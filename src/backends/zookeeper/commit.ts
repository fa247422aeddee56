/**
 * Committing: what is there already is written at once; for the rest the nodes concerned are read first, and written
 * together. Writes of single keys that come while another is under way travel in one request.
 */
import { type Coalescer, coalesce } from '../../coalesce.js';
import type { OpResult, Outcome } from '../../driver.js';
import { KvError } from '../../errors.js';
import { givenUpError } from '../../running.js';
import { Turns } from '../../turns.js';
import { batches, extentOf, isOverwrite, isNamed, isSimple, type Put, timeoutOf, type Write } from './batch.js';
import type { Route } from './call.js';
import { backend, Fault, isFault, translated } from './errors.js';
import { entryOf, type Keyspace } from './keyspace.js';
import { type MultiAnswer, multi, sizeOfMulti, type Step } from './multi.js';
import type { Settings } from './options.js';
import { concerned, type Done, type Kind, Plan, type Read } from './plan.js';
import type { Place, SharedSessions } from './shared-sessions.js';
import { deleteStepwise, heed, type Tree, treeBelow } from './tree-deletion.js';
import { inPortions, readsOf } from './walk.js';
import { code } from './numbers.js';
import { mostBytes, type Node, setData, type Stat, sync } from './wire.js';

export interface CommitterOptions {
  readonly cluster: Route;
  readonly keyspace: Keyspace;
  readonly shared: SharedSessions;
  readonly settings: Settings;
}

/** Writes in one batch. */
const most = 256;
/** How often a batch is planned anew before its writes go one by one. */
const mostTogether = 3;
/** How often a single write is planned anew: others are writing the same nodes. */
const mostAlone = 1000;

/** A write while it is planned, maybe several times. */
interface Attempt {
  readonly write: Write;
  readonly trees: Map<string, Tree>;
}

export class Committer {
  private readonly options: CommitterOptions;
  private readonly turns: Turns = new Turns();
  private readonly together: Coalescer<Write, Outcome>;
  /** Whether keys were there of late when they were put. */
  private hopeful = true;

  constructor(options: CommitterOptions) {
    this.options = options;
    this.together = coalesce<Write, Outcome>({ run: writes => this.run(writes), most });
  }

  /** @throws KvError */
  commit(write: Write): Promise<Outcome> {
    return this.turns.take(extentOf(write), () => {
      if (write.abandoned) return Promise.reject(givenUpError(backend));
      if (isSimple(write)) return this.together(write);
      return this.placed(write);
    });
  }

  /** On the session that its nodes are to belong to, if they are to belong to one. */
  private async placed(write: Write): Promise<Outcome> {
    const { shared, cluster } = this.options;
    for (let attempt = 1; ; attempt++) {
      let place: Place | undefined;
      try {
        place = await shared.placeFor(write);
        if (place === undefined) return await this.alone(write, cluster);
        if (write.abandoned) throw givenUpError(backend);
        const outcome = await this.alone(write, place);
        if (outcome.ok) place.keep(write.ops, outcome.results);
        return outcome;
      } catch (error) {
        // Of a session that nobody named there may be another one.
        const again = KvError.is(error) && error.code === 'session-lost' && error.outcome === undefined && !isNamed(write);
        if (!again || attempt === mostTogether) throw error;
      } finally {
        place?.leave();
      }
    }
  }

  /** Carries out a batch. Its keys differ: writes of one key take turns. */
  private async run(writes: readonly Write[]): Promise<(Outcome | Error)[]> {
    const [only] = writes;
    if (only !== undefined && writes.length === 1) return [await this.alone(only, this.options.cluster)];
    const outcomes = new Map<Write, Outcome | Error>();
    for (const batch of batches(writes.filter(write => !write.abandoned))) {
      const answers = await this.batch(batch);
      batch.forEach((write, i) => outcomes.set(write, answers[i] as Outcome | Error));
    }
    return writes.map(write => outcomes.get(write) ?? givenUpError(backend));
  }

  private async batch(writes: readonly Write[]): Promise<(Outcome | Error)[]> {
    const { cluster } = this.options;
    const [first] = writes;
    if (first === undefined) return [];
    if (writes.length === 1) return [await this.alone(first, cluster).catch((error: unknown) => translated(error))];
    try {
      const outcomes = (await this.overwriteAll(writes)) ?? (await this.planned(writes.map(attemptOf), cluster, mostTogether));
      if (outcomes !== undefined) return outcomes;
    } catch (error) {
      const known = translated(error);
      const refused = known.outcome === undefined && !known.transient && known.code !== 'closed' && known.code !== 'unsupported';
      if (!refused) return writes.map(() => known);
    }
    // One of them is refused, or stands in the way, and the others are not to suffer for it.
    return Promise.all(writes.map(async write => this.alone(write, cluster).catch((error: unknown) => translated(error))));
  }

  private async alone(write: Write, route: Route): Promise<Outcome> {
    if (this.hopeful && route === this.options.cluster && isOverwrite(write)) {
      const outcome = await this.overwrite(write, write.ops[0] as Put);
      if (outcome !== undefined) return outcome;
    }
    return this.settle(write, route);
  }

  private async settle(write: Write, route: Route = this.options.cluster): Promise<Outcome> {
    const outcomes = await this.planned([attemptOf(write)], route, mostAlone);
    if (outcomes?.[0] !== undefined) return outcomes[0];
    throw new KvError('unavailable', 'others wrote the same keys all the time', { backend });
  }

  /** The quickest way to put what is there; undefined where it is not. */
  private async overwrite(write: Write, { put, value, ttl }: Put): Promise<Outcome | undefined> {
    const { cluster, keyspace } = this.options;
    const path = keyspace.path(put);
    try {
      const answer = await cluster.call({
        send: (connection, deadline) => connection.send(setData(path, value), deadline),
        repeatable: false,
        timeout: write.timeout,
      });
      const entry = entryOf(put, value, answer.value);
      return ttl !== 'keep' && entry.leased ? this.settle(write) : { ok: true, results: [{ entry }] };
    } catch (error) {
      if (!isFault(error, code.noNode)) throw error;
      this.hopeful = false;
      return undefined;
    }
  }

  /** The same for several at once. */
  private async overwriteAll(writes: readonly Write[]): Promise<Outcome[] | undefined> {
    if (!this.hopeful || !writes.every(isOverwrite)) return undefined;
    const { cluster, keyspace } = this.options;
    const puts = writes.map(({ ops }) => ops[0] as Put);
    const steps = puts.map(({ put, value }): Step => ({ set: keyspace.path(put), data: value, version: -1 }));
    const done = await this.multi(cluster, steps, timeoutOf(writes));
    if (!done.ok) {
      if (done.code !== code.noNode) throw translated(new Fault(done.code));
      this.hopeful = false;
      return undefined;
    }
    return Promise.all(
      puts.map(async ({ put, value, ttl }, i): Promise<Outcome> => {
        const entry = entryOf(put, value, done.stats[i] as Stat);
        return ttl !== 'keep' && entry.leased ? this.settle(writes[i] as Write) : { ok: true, results: [{ entry }] };
      }),
    );
  }

  /** undefined where others wrote the nodes concerned each time. */
  private async planned(attempts: readonly Attempt[], route: Route, tries: number): Promise<Outcome[] | undefined> {
    const { keyspace, settings } = this.options;
    const timeout = timeoutOf(attempts.map(({ write }) => write));
    const deadline = performance.now() + timeout;
    for (let attempt = 0; attempt < tries && (attempt === 0 || performance.now() < deadline); attempt++) {
      if (attempts.every(({ write }) => write.abandoned)) throw givenUpError(backend);
      const plan = new Plan(keyspace, await this.read(attempts, route, timeout));
      const made = attempts.map(({ write, trees }) => this.plan(plan, write, trees));
      const size = sizeOfMulti(plan.steps, settings.acl);
      if (size > mostBytes) {
        const [only, second] = attempts;
        if (only === undefined || second !== undefined) return undefined;
        await this.oversize(plan, only, route, timeout);
        continue;
      }
      const answer = plan.steps.length === 0 ? { ok: true as const, stats: [], zxid: 0n } : await this.multi(route, plan.steps, timeout);
      if (answer.ok) {
        this.hopeful = made.every(({ creates }) => !creates);
        return made.map(({ outcome }) => outcome(answer));
      }
      this.heed(plan.steps[answer.at] as Step, answer.code, attempts);
    }
    return undefined;
  }

  private plan(plan: Plan, { checks, ops }: Write, trees: ReadonlyMap<string, Tree>): Planned {
    const failed = plan.failed(checks);
    if (failed.length > 0) return { creates: false, outcome: () => ({ ok: false, failed }) };
    const before = plan.steps.length;
    for (const check of checks) plan.check(check, ops);
    const results = ops.map(op => {
      if ('put' in op) return plan.put(op, this.kindOf(op));
      const result = 'delete' in op ? plan.delete(op.delete) : plan.deletePrefix(op.deletePrefix, trees.get(op.deletePrefix) as Tree);
      return (): OpResult => result;
    });
    const creates = plan.steps.slice(before).some(step => 'create' in step);
    return { creates, outcome: done => ({ ok: true, results: results.map(result => result(done)) }) };
  }

  private kindOf({ ttl, session }: Put): Kind {
    if (session !== undefined) return 'ephemeral';
    if (ttl === undefined) return 'permanent';
    if (ttl === 'keep') return 'kept';
    return this.options.settings.ttlNodes ? { ttl } : 'ephemeral';
  }

  private async read(attempts: readonly Attempt[], route: Route, timeout: number): Promise<Read> {
    const { keyspace } = this.options;
    const read = new Map<string, Node | number>();
    const concerns = attempts.map(({ write }) => concerned(keyspace, write));
    const paths = [...new Set([...concerns.flatMap(({ guards }) => guards), ...concerns.flatMap(({ nodes }) => nodes)])].filter(
      path => path !== '/',
    );
    const checked = attempts.some(({ write }) => write.checks.length > 0);
    await route.call({
      send: async (connection, deadline) => {
        const reads = readsOf(request => connection.send(request, deadline));
        // What others wrote must not look as if it were not there yet.
        const synced = checked && paths[0] !== undefined ? connection.send(sync(paths[0]), deadline) : undefined;
        synced?.catch(() => undefined);
        await inPortions(paths, reads.nodes, (path, node) => read.set(path, node));
        await synced;
      },
      repeatable: true,
      timeout,
    });
    // What a deleteTree concerns is what is there when it begins.
    for (const { write, trees } of attempts)
      for (const op of write.ops)
        if ('deletePrefix' in op && !trees.has(op.deletePrefix))
          trees.set(op.deletePrefix, await treeBelow(keyspace, op.deletePrefix, route, timeout));
    return read;
  }

  private heed(step: Step, refused: number, attempts: readonly Attempt[]): void {
    if (refused === code.noAuth || refused === code.invalidAcl || refused === code.unimplemented || refused === code.badArguments)
      throw translated(new Fault(refused));
    for (const { trees } of attempts) for (const tree of trees.values()) heed(tree, step, refused);
  }

  /** More than one request takes: a deleteTree by itself goes stepwise; directories may be made before the rest. */
  private async oversize(plan: Plan, { write, trees }: Attempt, route: Route, timeout: number): Promise<void> {
    const { acl } = this.options.settings;
    const [op, second] = write.ops;
    if (op !== undefined && 'deletePrefix' in op && second === undefined && write.checks.every(check => 'held' in check)) {
      const fences = plan.steps.filter(step => 'check' in step);
      return deleteStepwise(trees.get(op.deletePrefix) as Tree, { fences, acl, multi: steps => this.multi(route, steps, timeout) });
    }
    const rest = sizeOfMulti(plan.steps, acl) - sizeOfMulti(plan.directories, acl);
    if (plan.directories.length === 0 || rest > mostBytes - 1000)
      throw new KvError('invalid', `the transaction is larger than a request of ZooKeeper, ${mostBytes} bytes`, { backend });
    await this.multi(route, plan.directories, timeout);
  }

  private async multi(route: Route, steps: readonly Step[], timeout: number): Promise<MultiAnswer & { zxid: bigint }> {
    const { acl } = this.options.settings;
    const { value, zxid } = await route.call({
      send: (connection, deadline) => connection.send(multi(steps, acl), deadline),
      repeatable: false,
      timeout,
    });
    return { ...value, zxid };
  }
}

interface Planned {
  readonly creates: boolean;
  readonly outcome: (done: Done) => Outcome;
}

function attemptOf(write: Write): Attempt {
  return { write, trees: new Map() };
}
