/** The whole store against a plain Map: any calls, watches, faults and time, in any order. */
import { fc, test } from '@fast-check/vitest';
import { describe } from 'vitest';
import { createWorld, memory } from '../src/backends/memory/index.js';
import type { Store } from '../src/interface.js';
import { createStore } from '../src/store.js';
import { backends } from './backends.js';
import { modelOn } from './laws/model-on.js';
import { inWorld } from './store/actions.js';
import { commandsOf } from './store/commands.js';
import { Model } from './store/model.js';
import { type Faults, Run, timeout } from './store/run.js';
import { inVirtualTime } from './virtual-time.js';

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
        try {
          await fc.asyncModelRun(() => ({ model, real: run }), commands);
          await run.end(async () => {});
        } finally {
          run.stop();
          void one.close();
          void other.close();
          await advance(1000);
        }
      });
    },
  );

  // Each run takes a hundred times as long where there is a disk.
  describe.each(backends)('on $name', backend => {
    modelOn(backend, { numRuns: fifth() });
  });
});

function fifth(): number {
  return Math.ceil((fc.readConfigureGlobal().numRuns ?? 100) / 5);
}
