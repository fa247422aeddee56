/** A run: carries out actions on two stores, and holds every answer against the model. */
import { expect } from 'vitest';
import type { Driver } from '../../src/driver.js';
import { KvError, type KvErrorCode } from '../../src/errors.js';
import type { Store } from '../../src/interface.js';
import type { Action } from './actions.js';
import { below, Calls, type Client } from './calls.js';
import { KeptAlive } from './kept-alive.js';
import { type Cell, type Model, shown, textOf } from './model.js';
import { type Watch, watchKey, watchTree } from './watches.js';

export type Way = 'open' | 'cut' | 'hung';

/** Faults and time, where there are any. */
export interface Faults {
  set(way: Way, driver: Driver | undefined): void;
  compact(): void;
  expireSessions(): void;
  /** Virtual time. */
  advance(ms: number): Promise<void>;
}

/** ms of a call, in virtual time. */
export const timeout = 300;

/** ms until who lost touch has tried anew. */
const retried = 1000;

export class Run {
  readonly model: Model;
  private readonly calls: Calls;
  private readonly clients: readonly Client[];
  private readonly drivers: readonly Driver[];
  private readonly faults: Faults | undefined;
  private readonly ways: Way[] = ['open', 'open'];
  private healedAt = -Infinity;
  /** Which state of the history each store has last been able to see, while its way is closed. */
  private readonly knew: number[] = [0, 0];
  private readonly watches: Watch[] = [];
  private readonly stopped: (() => void)[] = [];
  private readonly keptAlive: KeptAlive[] = [];

  constructor(model: Model, stores: readonly [Store, Store], drivers: readonly Driver[], faults?: Faults) {
    this.model = model;
    this.calls = new Calls(model);
    this.drivers = drivers;
    this.faults = faults;
    this.clients = [
      { store: stores[0], base: '', of: 0 },
      { store: stores[1], base: '', of: 1 },
      { store: stores[0].at('a'), base: 'a/', of: 0 },
      { store: stores[1].at('/a/b/'), base: 'a/b/', of: 1 },
    ];
  }

  /** Whether the model can tell what the action does. */
  allows(action: Action): boolean {
    if (action.does === 'unwatch') return this.watches.length > 0;
    if (action.does === 'keepAlive') return this.ways[this.client(action.client).of] === 'open';
    if (action.does === 'endKeepAlive') return this.keptAlive.length > 0 && this.ways[this.nth(this.keptAlive, action.nth).of] === 'open';
    // Who keeps the session of another must be there to notice it.
    return !kept(action).some(key => this.cellOf(action, key)?.session !== undefined) || this.reunited();
  }

  /** Whether no way is closed, nor was it a moment ago: who keeps a key alive looks after it again by now. */
  private reunited(): boolean {
    return this.ways.every(way => way === 'open') && Date.now() - this.healedAt >= retried;
  }

  async perform(action: Action): Promise<void> {
    await this.act(action);
    await this.settle();
  }

  /** Mends everything, waits, and checks what is live. */
  async end(settled: (all: readonly Watch[]) => Promise<void>): Promise<void> {
    this.set('open', undefined);
    await this.faults?.advance(5000);
    await this.settle();
    await settled(this.watches);
    for (const watch of this.watches) watch.check();
    for (const check of this.stopped) check();
    for (const one of this.keptAlive) one.check();
    for (const { store, base } of this.clients.slice(0, 2)) {
      expect(textOf(await store.list('')), 'what is listed in the end').toBe(textOf(shown(this.model.state, base, 0)));
    }
  }

  /** Ends what is live, also where it failed: the next run has nothing to do with it. */
  stop(): void {
    for (const watch of this.watches) watch.stop();
    for (const one of this.keptAlive) one.stop();
  }

  private act(action: Action): Promise<void> {
    switch (action.does) {
      case 'watch':
      case 'watchTree':
        this.watches.push(this.watching(action));
        return Promise.resolve();
      case 'unwatch':
        this.stopped.push((this.watches.splice(action.nth % this.watches.length, 1)[0] as Watch).stop());
        return Promise.resolve();
      case 'keepAlive':
        return this.keepAlive(action);
      case 'endKeepAlive': {
        const [one] = this.keptAlive.splice(action.nth % this.keptAlive.length, 1) as [KeptAlive];
        one.stop();
        this.model.end(session => session === one);
        return Promise.resolve();
      }
      case 'cut':
      case 'hang':
      case 'heal':
        this.set(action.does === 'heal' ? 'open' : action.does === 'cut' ? 'cut' : 'hung', action.store);
        return Promise.resolve();
      case 'compact':
        this.faults?.compact();
        return Promise.resolve();
      case 'expireSessions':
        this.faults?.expireSessions();
        this.model.end(() => true);
        return Promise.resolve();
      case 'wait':
        return this.faults?.advance(action.ms) ?? Promise.resolve();
      default:
        return this.call(action);
    }
  }

  /** What follows by itself: keys expire, and who kept a key alive that is not its own any more gives up. */
  private async settle(): Promise<void> {
    await this.faults?.advance(0);
    this.model.expire(Date.now());
    for (const one of this.keptAlive) {
      const cell = this.model.cell(one.key);
      if (cell?.session !== one || cell.entry.revision !== one.revision) one.doomed = true;
    }
    this.model.end(session => (session as KeptAlive).doomed);
  }

  private watching(action: Extract<Action, { does: 'watch' | 'watchTree' }>): Watch {
    const { store, base, of } = this.client(action.client);
    const prefix = base + (action.does === 'watch' ? action.key : below(action.directory));
    const shares = `${of} ${action.does} ${prefix}`;
    const name = `${JSON.stringify(action)}, number ${this.watches.length},`;
    const seen = { name, shares, from: this.visible(of, shares), prefix, strip: base.length };
    if (action.does === 'watch') return watchKey(store, action.key, seen, this.model);
    return watchTree(store, action.directory, { ...seen, depth: action.depth }, this.model);
  }

  /** The first state that a new watch may show: who joins a shared one is shown first what that has seen last. */
  private visible(of: number, shares: string): number {
    const newest = this.ways[of] === 'open' ? this.model.history.length - 1 : (this.knew[of] as number);
    return Math.min(newest, ...this.watches.filter(watch => watch.shares === shares).map(watch => watch.shown()));
  }

  private async keepAlive(action: Extract<Action, { does: 'keepAlive' }>): Promise<void> {
    const { store, base, of } = this.client(action.client);
    const one = new KeptAlive(store, action.key, action.value, base, of);
    this.keptAlive.push(one);
    await this.faults?.advance(0);
    const entry = one.entry();
    this.calls.written(base + action.key, action.value, entry, true);
    this.model.commit(new Map([[base + action.key, { entry: { ...entry, key: base + action.key }, expires: Infinity, session: one }]]));
    this.model.revision = entry.revision;
  }

  /** Makes a call, which must end as the model says. */
  private async call(action: Extract<Action, { client: number }>): Promise<void> {
    const client = this.client(action.client);
    const way = this.ways[client.of] as Way;
    const { call, invalid, conflicts, check } = this.calls.expected(action, client);
    const answer = settled(call());
    // A deadline may be 10 ms late.
    if (way === 'hung' && !invalid) await this.faults?.advance(timeout + 20);
    const outcome = await answer;
    if (invalid) return void refused(outcome, 'invalid');
    if (way === 'cut') return void refused(outcome, 'unavailable');
    if (way === 'hung') return void refused(outcome, 'timeout', writes(action) ? 'unknown' : undefined);
    if (conflicts.length > 0) {
      const told = refused(outcome, 'conflict').conflicts?.map(one => [one.key, textOf(one.current === undefined ? [] : [one.current])]);
      const wanted = conflicts.map(key => [key, this.calls.seen(client, key)]);
      return expect(told).toEqual(wanted);
    }
    if ('error' in outcome) throw outcome.error;
    check(outcome.value);
  }

  private set(way: Way, store: number | undefined): void {
    if (way === 'open') this.healedAt = Date.now();
    this.faults?.set(way, store === undefined ? undefined : this.drivers[store]);
    this.ways.forEach((_, i) => {
      if (store !== undefined && store !== i) return;
      if (this.ways[i] === 'open') this.knew[i] = this.model.history.length - 1;
      this.ways[i] = way;
    });
  }

  private client(index: number): Client {
    return this.clients[index] as Client;
  }

  private nth<T>(all: readonly T[], n: number): T {
    return all[n % all.length] as T;
  }

  private cellOf(action: Action, key: string): Cell | undefined {
    return 'client' in action ? this.model.cell(this.client(action.client).base + key) : undefined;
  }
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

function settled(call: Promise<unknown>): Promise<Outcome> {
  return call.then(
    value => ({ value }),
    (error: unknown) => ({ error }),
  );
}

function refused(outcome: Outcome, code: KvErrorCode, outcomeIs?: 'unknown'): KvError {
  if (!('error' in outcome)) expect.fail(`resolved where ${code} was due`);
  const { error } = outcome;
  if (!KvError.is(error)) throw error;
  expect([error.code, error.outcome]).toEqual([code, outcomeIs]);
  return error;
}

/** The keys whose session an action leaves on what it writes. */
function kept(action: Action): string[] {
  if (action.does === 'put' || action.does === 'atomicPut' || action.does === 'update') return action.ttl === 'keep' ? [action.key] : [];
  return action.does === 'transaction' ? action.ops.flatMap(op => ('put' in op && op.ttl === 'keep' ? [op.put] : [])) : [];
}

/** Whether the answer that a hung call waits for is that of a write; update() reads first. */
function writes({ does }: Action): boolean {
  return !['get', 'exists', 'list', 'children', 'update'].includes(does);
}
