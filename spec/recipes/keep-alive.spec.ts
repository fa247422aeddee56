import { interval, map, merge } from 'rxjs';
import { expect, test } from 'vitest';
import { createWorld, memory } from '../../src/backends/memory/index.js';
import { until } from '../../src/conformance/waiting.js';
import type { Feed } from '../../src/driver.js';
import { createStore } from '../../src/store.js';

test('a key that was removed is told lost, however often the feed says that it is alive', async () => {
  const world = createWorld();
  const driver = memory({ world });
  const [list, feed$] = [driver.list.bind(driver), driver.feed$.bind(driver)];
  // Marks come all the time, and a read takes longer than it is from one to the next.
  driver.feed$ = (...range) => merge(feed$(...range), interval(2).pipe(map((): Feed => ({ type: 'mark' }))));
  driver.list = async (...query) => {
    const listing = await list(...query);
    await new Promise(resolve => setTimeout(resolve, 40));
    return listing;
  };
  const store = createStore(driver);
  const other = createStore(memory({ world }));
  const errors: unknown[] = [];
  let registered = false;
  store.keepAlive$('service/1', 'here', { ttl: 60_000 }).subscribe({ next: () => (registered = true), error: error => errors.push(error) });
  await until(() => registered, 'the key to be registered', 5000);
  await other.delete('service/1');
  await until(() => errors.length > 0, 'the loss to be told', 2000);
  expect(errors).toMatchObject([{ code: 'session-lost', key: 'service/1' }]);
  await Promise.all([store.close(), other.close()]);
});
