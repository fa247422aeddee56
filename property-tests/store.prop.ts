/** The whole store against a plain Map: any calls, watches, faults and time, in any order. */
import { fc, test } from '@fast-check/vitest';
import { afterAll, beforeAll, describe } from 'vitest';
import { createWorld, memory } from '../src/backends/memory/index.js';
import { until } from '../src/conformance/waiting.js';
import type { Store } from '../src/interface.js';
import { createStore } from '../src/store.js';
import { backends, type Place } from './backends.js';
import { type Action, anywhere, inWorld } from './store/actions.js';
import { Model } from './store/model.js';
import { type Faults, Run, timeout } from './store/run.js';
import { inVirtualTime } from './virtual-time.js';

/** An action as fast-check drives it. */
class Command implements fc.AsyncCommand<Model, Run> {
  private readonly action: Action;

  constructor(action: Action) {
    this.action = action;
  }

  check(): boolean {
    return true;
  }

  async run(_model: Model, run: Run): Promise<void> {
    if (run.allows(this.action)) await run.perform(this.action);
  }

  toString(): string {
    return JSON.stringify(this.action);
  }
}

function commandsOf(actions: readonly fc.Arbitrary<Action>[], maxCommands: number): fc.Arbitrary<Iterable<fc.AsyncCommand<Model, Run>>> {
  return fc.commands(
    actions.map(arbitrary => arbitrary.map(action => new Command(action))),
    { maxCommands, size: 'max' },
  );
}

describe('store', () => {
  test.prop([commandsOf(inWorld, 50)])(
    'model: on memory, whatever is called, cut, hung, forgotten or waited for, answers and watches are those of a Map',
    async commands => {
      await inVirtualTime(async advance => {
        const world = createWorld();
        const drivers = [memory({ world }), memory({ world })] as const;
        const [one, other] = drivers.map(driver => createStore(driver, { timeout, silence: 400 })) as [Store, Store];
        const faults: Faults = {
          set: (way, driver) => (way === 'open' ? world.heal(driver) : way === 'cut' ? world.cut(driver) : world.hang(driver)),
          compact: () => world.compact(),
          expireSessions: () => world.expireSessions(),
          advance,
        };
        const model = new Model();
        const run = new Run(model, [one, other], drivers, faults);
        await fc.asyncModelRun(() => ({ model, real: run }), commands);
        await run.end(async () => {});
        void one.close();
        void other.close();
        await advance(1000);
      });
    },
  );

  // Each run takes a hundred times as long where there is a disk.
  describe.each(backends)('on $name', ({ open }) => {
    let place: Place;
    let stores: readonly [Store, Store];
    beforeAll(() => {
      place = open();
      stores = [createStore(place.connect()), createStore(place.connect())];
    });
    afterAll(async () => {
      await Promise.all(stores.map(store => store.close()));
      place.end();
    });

    test.prop([commandsOf(anywhere, 30)], { numRuns: Math.ceil((fc.readConfigureGlobal().numRuns ?? 100) / 5) })(
      'model: in real time, answers and watches are those of a Map',
      async commands => {
        const model = new Model();
        const run = new Run(model, stores, []);
        await stores[0].deleteTree('');
        await fc.asyncModelRun(() => ({ model, real: run }), commands);
        await run.end(watches => until(() => watches.every(watch => watch.settled()), 'every watch to show the last state'));
      },
    );
  });
});
