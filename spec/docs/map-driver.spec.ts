/** The driver of docs/writing-a-driver.md keeps every promise that can be tested without a network. */
import { tap } from 'rxjs';
import { createStore } from 'rxkv';
import { conformance } from 'rxkv/conformance';
import { type Driver, encodeSegment } from 'rxkv/driver';
import { expect, test, vi } from 'vitest';
import { mapDriver } from '../../docs/examples/map-driver.js';
import { MapServer } from '../../docs/examples/map-server.js';

const server = new MapServer();

/** What the hooks must know of a connection. */
const roots = new WeakMap<Driver, string>();
const sessions = new WeakMap<Driver, Set<string>>();

function connect(root: string): Driver {
  const driver = mapDriver({ root, server });
  const ids = new Set<string>();
  const begin = driver.session$.bind(driver);
  driver.session$ = ttl => begin(ttl).pipe(tap(({ id }) => ids.add(id)));
  roots.set(driver, root);
  sessions.set(driver, ids);
  return driver;
}

conformance(
  { test, expect },
  {
    name: 'map',
    connect: ({ root }) => connect(root),
    expireSession: (driver, session) => {
      for (const id of session === undefined ? (sessions.get(driver) ?? []) : [session.id]) server.end(id);
    },
    contenders: (driver, lock) => {
      const queue = `${roots.get(driver)}/~rxkv/${encodeSegment(lock)}/`;
      return [...server.rows.keys()].filter(key => key.startsWith(queue)).length;
    },
    // It has no history to forget.
    compact: () => {},
  },
);

test('who writes while it is being told does not overtake the news on its way to others', async () => {
  const shared = new MapServer();
  const [one, other] = [createStore(mapDriver({ server: shared })), createStore(mapDriver({ server: shared }))];
  one.watchTree$('').subscribe(tree => {
    if (tree.has('a') && !tree.has('b')) void one.put('b', '2');
  });
  const seen: string[] = [];
  other.watchTree$('').subscribe(tree => seen.push([...tree.keys()].join()));
  await one.put('a', '1');
  await vi.waitFor(() => expect(seen.at(-1), 'the last state that the other has seen').toBe('a,b'));
  expect(seen).toEqual(['', 'a', 'a,b']);
  await Promise.all([one.close(), other.close()]);
});
