/**
 * Committing: what is there already is written at once; for the rest the nodes concerned are read first, and written
 * together. Writes of single keys that come while another is under way travel in one request.
 */
import { type Coalescer, coalesce } from '../../coalesce.js';
import type { Outcome } from '../../driver.js';
import { KvError } from '../../errors.js';
import type { Write } from '../../networked.js';
import { answersTo, givenUpError } from '../../running.js';
import { Turns } from '../../turns.js';
import { Attempts } from './attempt.js';
import { batches, extentOf, isNamed, isSimple, mayTakeSteps } from './batch.js';
import type { Route } from './call.js';
import { backend, translated } from './errors.js';
import type { Keyspace } from './keyspace.js';
import type { Settings } from './options.js';
import { Overwrites } from './overwrite.js';
import type { Place, SharedSessions } from './shared-sessions.js';
import type { Clock } from './trips.js';

export interface CommitterOptions {
  readonly cluster: Route;
  readonly keyspace: Keyspace;
  readonly shared: SharedSessions;
  readonly settings: Settings;
  readonly clock: Clock;
}

/** Writes in one batch. */
const most = 256;
/** How often a batch is planned anew before its writes go one by one. */
const mostTogether = 3;
/** How often a single write is planned anew: others are writing the same nodes. */
const mostAlone = 1000;

export class Committer {
  private readonly options: CommitterOptions;
  private readonly turns: Turns = new Turns();
  private readonly together: Coalescer<Write, Outcome>;
  private readonly overwrites: Overwrites;
  private readonly attempts: Attempts;

  constructor(options: CommitterOptions) {
    const { cluster, keyspace, settings, clock } = options;
    this.options = options;
    this.overwrites = new Overwrites({ cluster, keyspace, settings, settle: write => this.settle(write, cluster) });
    this.attempts = new Attempts({ keyspace, settings, clock });
    this.together = coalesce<Write, Outcome>({ run: writes => this.run(writes), most });
  }

  /** @throws KvError */
  commit(write: Write): Promise<Outcome> {
    write.selfTimed = mayTakeSteps(write);
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
    const outcomes: (Outcome | Error)[] = [];
    for (const batch of batches(writes)) outcomes.push(...(await answersTo(batch, backend, waiting => this.batch(waiting))));
    return outcomes;
  }

  private async batch(writes: readonly Write[]): Promise<(Outcome | Error)[]> {
    const { cluster } = this.options;
    const [only, second] = writes;
    if (only !== undefined && second === undefined) return [await this.alone(only, cluster).catch((error: unknown) => translated(error))];
    try {
      const outcomes = (await this.overwrites.all(writes)) ?? (await this.planned(writes, cluster, mostTogether));
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
    if (route === this.options.cluster && this.overwrites.suits(write)) {
      const outcome = await this.overwrites.one(write);
      if (outcome !== undefined) return outcome;
    }
    return this.settle(write, route);
  }

  private async settle(write: Write, route: Route): Promise<Outcome> {
    const outcomes = await this.planned([write], route, mostAlone);
    if (outcomes?.[0] !== undefined) return outcomes[0];
    throw new KvError('unavailable', 'others wrote the same keys all the time', { backend });
  }

  /** undefined where others wrote the nodes concerned each time. */
  private async planned(writes: readonly Write[], route: Route, tries: number): Promise<Outcome[] | undefined> {
    const made = await this.attempts.make(writes, route, tries);
    if (made !== undefined) this.overwrites.hopeful = !made.created;
    return made?.outcomes;
  }
}
