/** The whole store on one backend, in real time, against a plain Map. */
import { fc, test } from '@fast-check/vitest';
import { afterAll, beforeAll } from 'vitest';
import { until } from '../../src/conformance/waiting.js';
import type { Store } from '../../src/interface.js';
import { createStore } from '../../src/store.js';
import type { Backend, Place, Runs } from '../backends.js';
import { anywhere } from '../store/actions.js';
import { commandsOf } from '../store/commands.js';
import { Model } from '../store/model.js';
import { Run } from '../store/run.js';

/** Answers and watches of this backend are those of a Map. */
export function modelOn({ open }: Backend, parameters: Runs): void {
  let place: Place;
  let stores: readonly [Store, Store];
  beforeAll(async () => {
    place = await open();
    stores = [createStore(place.connect()), createStore(place.connect())];
  });
  afterAll(async () => {
    await Promise.all(stores.map(store => store.close()));
    await place.end();
  });

  test.prop([commandsOf(anywhere, 30)], parameters)('model: in real time, answers and watches are those of a Map', async commands => {
    const model = new Model();
    const run = new Run(model, stores, []);
    await stores[0].deleteTree('');
    try {
      await fc.asyncModelRun(() => ({ model, real: run }), commands);
      await run.end(watches => until(() => watches.every(watch => watch.settled()), 'every watch to show the last state'));
    } finally {
      run.stop();
    }
  });
}
