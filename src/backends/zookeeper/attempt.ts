/** Attempts: writes that are carried out by a plan, made anew while others write the same nodes. */
import type { OpResult, Outcome } from '../../driver.js';
import { KvError } from '../../errors.js';
import { givenUpError } from '../../running.js';
import type { Write } from '../../networked.js';
import { mayTakeSteps, type Put, timeoutOf } from './batch.js';
import type { Route } from './call.js';
import { concerned } from './concern.js';
import type { Kind, Read } from './draft.js';
import { backend, Fault, translated } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { type MultiAnswer, sizeOfMulti, type Step, transact } from './multi.js';
import { code } from './numbers.js';
import type { Settings } from './options.js';
import { type Done, Plan } from './plan.js';
import { deleteStepwise, heed, type Tree, treeBelow } from './tree-deletion.js';
import { type Clock, type Trips, untimed } from './trips.js';
import { inPortions, readsOf } from './walk.js';
import { mostBytes, type Node, sync } from './wire.js';

export interface AttemptsOptions {
  readonly keyspace: Keyspace;
  readonly settings: Settings;
  readonly clock: Clock;
}

/** A write while it is planned, maybe several times. */
interface Attempt {
  readonly write: Write;
  readonly trees: Map<string, Tree>;
}

/** What came of writes, and whether any of them made a node. */
export interface Made {
  readonly outcomes: Outcome[];
  readonly created: boolean;
}

interface Planned {
  readonly creates: boolean;
  readonly outcome: (done: Done) => Outcome;
}

export class Attempts {
  private readonly options: AttemptsOptions;

  constructor(options: AttemptsOptions) {
    this.options = options;
  }

  /** All of the writes in one request. @param tries  plans; undefined where others wrote the nodes concerned each time */
  async make(writes: readonly Write[], route: Route, tries: number): Promise<Made | undefined> {
    const { keyspace, settings } = this.options;
    const attempts = writes.map((write): Attempt => ({ write, trees: new Map() }));
    const timeout = timeoutOf(writes);
    const trips = this.tripsOf(attempts);
    let deadline = performance.now() + timeout;
    for (let attempt = 0; attempt < tries && (attempt === 0 || performance.now() < deadline); attempt++) {
      const plan = new Plan(keyspace, await this.read(attempts, route, timeout));
      if (writes.every(({ abandoned }) => abandoned)) throw givenUpError(backend);
      const made = attempts.map(({ write, trees }) => this.plan(plan, write, trees));
      const size = sizeOfMulti(plan.steps, settings.acl);
      if (size > mostBytes) {
        const [only, second] = attempts;
        if (only === undefined || second !== undefined) return undefined;
        await this.oversize(plan, only, route, timeout);
        deadline = performance.now() + timeout;
        continue;
      }
      const answer =
        plan.steps.length === 0
          ? { ok: true as const, stats: [], zxid: 0n }
          : await trips.write(transact(route, plan.steps, { acl: settings.acl, timeout }));
      if (answer.ok) return { outcomes: made.map(({ outcome }) => outcome(answer)), created: made.some(({ creates }) => creates) };
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
    const { read: inTime } = this.tripsOf(attempts);
    const read = new Map<string, Node | number>();
    const concerns = attempts.map(({ write }) => concerned(keyspace, write));
    const paths = [...new Set([...concerns.flatMap(({ guards }) => guards), ...concerns.flatMap(({ nodes }) => nodes)])].filter(
      path => path !== '/',
    );
    const checked = attempts.some(({ write }) => write.checks.length > 0);
    await route.call({
      send: async (connection, deadline) => {
        const reads = readsOf(request => inTime(connection.send(request, deadline)));
        // What others wrote must not look as if it were not there yet.
        const synced = checked && paths[0] !== undefined ? connection.send(sync(paths[0]), deadline) : undefined;
        synced?.catch(() => undefined);
        await inPortions(paths, reads.nodes, (path, node) => read.set(path, node));
        if (synced !== undefined) await inTime(synced);
      },
      repeatable: true,
      timeout,
    });
    // What a deleteTree concerns is what is there when it begins.
    for (const { write, trees } of attempts)
      for (const op of write.ops)
        if ('deletePrefix' in op && !trees.has(op.deletePrefix))
          trees.set(op.deletePrefix, await treeBelow(keyspace, op.deletePrefix, route, { timeout, inTime }));
    return read;
  }

  private heed(step: Step, refused: number, attempts: readonly Attempt[]): void {
    if (refused === code.noAuth || refused === code.invalidAcl || refused === code.unimplemented || refused === code.badArguments)
      throw translated(new Fault(refused));
    for (const { trees } of attempts) for (const tree of trees.values()) heed(tree, step, refused);
  }

  /** More than one request takes: a deleteTree by itself goes stepwise; directories may be made before the rest. */
  private async oversize(plan: Plan, attempt: Attempt, route: Route, timeout: number): Promise<void> {
    const { acl } = this.options.settings;
    const { write, trees } = attempt;
    const [tree] = trees.values();
    if (tree !== undefined && mayTakeSteps(write)) {
      const fences = plan.steps.filter(step => 'check' in step);
      const { write: inTime } = this.tripsOf([attempt]);
      const multi = async (steps: readonly Step[]): Promise<MultiAnswer> => {
        if (write.abandoned) throw givenUpError(backend);
        return inTime(transact(route, steps, { acl, timeout }));
      };
      return deleteStepwise(tree, { fences, acl, multi });
    }
    const rest = sizeOfMulti(plan.steps, acl) - sizeOfMulti(plan.directories, acl);
    if (plan.directories.length === 0 || rest > mostBytes - 1000)
      throw new KvError('invalid', `the transaction is larger than a request of ZooKeeper, ${mostBytes} bytes`, { backend });
    await transact(route, plan.directories, { acl, timeout });
  }

  /** Only one that is alone is timed by itself: no batch is made of such. */
  private tripsOf([only]: readonly Attempt[]): Trips {
    return only?.write.selfTimed === true ? this.options.clock.trips({ timeout: only.write.timeout }, 'commit') : untimed;
  }
}
