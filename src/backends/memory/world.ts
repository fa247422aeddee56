/** A world: what several stores in memory share, and the faults that an application can be tested with. */
import type { Driver } from '../../driver.js';
import { invalid } from '../../errors.js';
import { Draft } from '../local/draft.js';
import { Gate, type Way } from '../local/gate.js';
import { instantOf } from '../local/row.js';
import { ending } from '../local/session.js';
import { Sweeper } from '../local/sweep.js';
import type { Table } from '../local/table.js';
import { Writer } from '../local/writer.js';
import { Storage } from './storage.js';
import { MemoryTable } from './table.js';

/**
 * The data that the drivers of `memory({ world })` share, and the thing to test applications with: each store
 * is a client of it, and the ways between them can be cut.
 *
 * The world itself works on meanwhile: what has a ttl expires, and a session that is not renewed ends. All time
 * goes through `Date.now`, `performance.now` and `setTimeout`, so that a test runner's fake timers hold for it.
 *
 * @example
 * const world = createWorld();
 * const driver = memory({ world });
 * const [store, other] = [createStore(driver), createStore(memory({ world }))];
 * world.cut(driver);  // the first store alone
 * await other.put('config/colour', 'blue');
 * world.heal(driver); // its watches go on, with blue
 */
export interface World {
  /**
   * Cuts the way of one driver, or of all, also those still to come. Calls reject `unavailable` at once. A feed
   * goes on by itself when healed within the store's `silence`, from where it was, or anew after
   * {@link World.compact}; else it errors `unavailable`. A session ends by its ttl, and its holder is told.
   *
   * @throws KvError `invalid` for a driver of another world
   */
  cut(only?: Driver): void;
  /** Mends what {@link World.cut} and {@link World.hang} did. */
  heal(only?: Driver): void;
  /**
   * As {@link World.cut}, but nothing is answered: calls reject `timeout`, those made before it healed even
   * afterwards. A write among them is not applied.
   */
  hang(only?: Driver): void;
  /** Ends all sessions at once, with the keys that are bound to them; holders learn it as of any server. */
  expireSessions(): void;
  /** Forgets the history, so that no feed can go on from where it was. */
  compact(): void;
}

/** A world of its own, empty. */
export function createWorld(): World {
  return new MemoryWorld();
}

/** @throws KvError `invalid` for what createWorld() has not made */
export function worldOf(world: World | undefined): MemoryWorld {
  if (world === undefined) return new MemoryWorld();
  if (typeof world !== 'object' || world === null || typeof (world as Partial<MemoryWorld>).connect !== 'function') {
    throw invalid('the world of memory() is one that createWorld() has made');
  }
  return world as MemoryWorld;
}

export class MemoryWorld implements World {
  private readonly storage: Storage = new Storage();
  /** Those that may be in use. */
  private readonly gates: Set<Gate> = new Set();
  private readonly gateOf: WeakMap<Driver, Gate> = new WeakMap();
  /** Of drivers to come. */
  private way: Way = 'open';
  /** The world's own table, which no fault concerns. */
  private readonly server: Table = this.table();

  constructor() {
    const sweeper = new Sweeper(this.server, new Writer(this.server, () => {}), Infinity);
    this.storage.committed$.subscribe(batch => sweeper.wrote(batch));
  }

  /** A new driver of this world, made of a gate and of what opens its table. */
  connect(create: (gate: Gate, open: () => Table) => Driver): Driver {
    const gate = new Gate('memory', this.way);
    this.gates.add(gate);
    const driver = create(gate, () => this.table(() => this.gates.delete(gate)));
    this.gateOf.set(driver, gate);
    return driver;
  }

  cut(only?: Driver): void {
    this.set('cut', only);
  }

  heal(only?: Driver): void {
    this.set('open', only);
  }

  hang(only?: Driver): void {
    this.set('hung', only);
  }

  expireSessions(): void {
    this.storage.commit(view => {
      const draft = new Draft(view, instantOf(this.server));
      for (const { id } of view.sessions()) draft.step(ending(id));
      return draft.batch();
    });
  }

  compact(): void {
    this.storage.compact();
  }

  private table(closed: () => void = () => {}): Table {
    return new MemoryTable(this.storage, this, closed);
  }

  private set(way: Way, only: Driver | undefined): void {
    if (only === undefined) {
      this.way = way;
      for (const gate of [...this.gates]) gate.set(way);
      return;
    }
    const gate = this.gateOf.get(only);
    if (gate === undefined) throw invalid('the driver is none of this world');
    gate.set(way);
  }
}
