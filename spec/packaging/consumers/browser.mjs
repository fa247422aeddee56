/** What a browser's page does with the core: a diff over a memory store. Bundled, and run where there is no Node. */
import { createStore, diff, retryTransient, text, whileHeld } from 'rxkv';
import { memory } from 'rxkv/memory';
import { of } from 'rxjs';

globalThis.seen = (async () => {
  const seen = [];
  const store = createStore(memory());
  const settled = new Promise(resolve => {
    store
      .watchTree$('config')
      .pipe(retryTransient(), diff())
      .subscribe(({ type, key, entry, previous }) => {
        seen.push(`${type} ${key} ${text(previous)} ${text(entry)}`);
        if (type === 'deleted') resolve();
      });
  });
  await store.put('config/colour', 'blau – blue');
  await store.put('config/colour', 'rot');
  await store.put('config/size', '7', { ttl: 50 });
  await settled;
  const held = await new Promise(resolve => {
    store
      .lock$('job')
      .pipe(whileHeld(lock => of(lock.held)))
      .subscribe(resolve);
  });
  await store.close();
  return JSON.stringify({ seen, held });
})();
