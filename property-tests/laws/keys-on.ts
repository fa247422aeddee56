/** Any valid key and any bytes on one backend: the laws of keys, by every way to read. */
import { fc, test } from '@fast-check/vitest';
import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, expect } from 'vitest';
import { until } from '../../src/conformance/waiting.js';
import type { Store } from '../../src/interface.js';
import type { Snapshot } from '../../src/snapshot.js';
import { createStore } from '../../src/store.js';
import type { Backend, Place, Runs } from '../backends.js';
import { near, spelled } from './keys.js';

/** Keys of this backend come back, and are where they belong. */
export function keysOn({ open }: Backend, parameters: Runs = {}): void {
  let place: Place;
  let store: Store;
  let other: Store;
  beforeAll(async () => {
    place = await open();
    // A watch that lingers would begin with what the last case left.
    store = createStore(place.connect(), { linger: 0 });
    other = createStore(place.connect(), { linger: 0 });
  });
  afterAll(async () => {
    await Promise.all([store.close(), other.close()]);
    await place.end();
  });

  const records = fc.uniqueArray(fc.tuple(spelled, fc.uint8Array({ maxLength: 20 })), {
    selector: ([{ plain }]) => plain,
    minLength: 1,
    maxLength: 6,
  });

  test.prop([records], parameters)('binary safe: any key and any bytes come back as they are, by every way to read', async written => {
    const expected = inOrder(written.map(([{ plain }]) => plain)).map((plain): [string, number[]] => [
      plain,
      [...(written.find(([one]) => one.plain === plain) as (typeof written)[0])[1]],
    ]);
    let seen: Snapshot | undefined;
    const watch = store.watchTree$('').subscribe(snapshot => (seen = snapshot));
    try {
      const entries = await Promise.all(written.map(([one, value]) => store.put(one.written, value)));

      expect(entries.map(one => [one.key, [...one.value]])).toEqual(written.map(([{ plain }, value]) => [plain, [...value]]));
      for (const [{ plain, written: spelling }, value] of written) {
        const got = await other.get(spelling);
        expect([got?.key, [...(got?.value ?? [])]]).toEqual([plain, [...value]]);
        expect(await firstValueFrom(other.watch$(spelling))).toEqual(got);
        expect(await other.exists(spelling)).toBe(true);
      }
      expect(contents(await other.list(''))).toEqual(expected);
      expect(contents(await firstValueFrom(other.watchTree$('')))).toEqual(expected);
      await until(() => seen !== undefined && seen.size === expected.length, 'the watch to show all keys');
      expect(contents(seen as unknown as Snapshot)).toEqual(expected);
    } finally {
      watch.unsubscribe();
      await store.deleteTree('');
    }
    expect((await other.list('')).size).toBe(0);
  });

  test.prop([fc.uniqueArray(near, { maxLength: 12 }), near, fc.integer({ min: 1, max: 3 })], parameters)(
    'siblings: a directory is the keys that begin with its path and a slash, never `a` itself and never `ab`',
    async (keys, directory, depth) => {
      const below = inOrder(keys.filter(name => name.startsWith(`${directory}/`)));
      const rest = inOrder(keys.filter(name => !name.startsWith(`${directory}/`)));
      const relative = below.map(name => name.slice(directory.length + 1));
      const shallow = below.filter((_, i) => (relative[i] as string).split('/').length <= depth);
      await Promise.all(keys.map(name => store.put(name, name)));
      let seen: Snapshot | undefined;
      const watch = other.watchTree$(directory).subscribe(snapshot => (seen = snapshot));
      try {
        expect([...(await other.list(directory)).keys()]).toEqual(below);
        expect([...(await other.list(directory, { depth })).keys()]).toEqual(shallow);
        expect([...(await firstValueFrom(other.watchTree$(directory))).keys()]).toEqual(below);
        expect([...(await firstValueFrom(other.watchTree$(directory, { depth }))).keys()]).toEqual(shallow);
        expect([...(await other.at(directory).list('')).keys()]).toEqual(relative);
        expect([...(await firstValueFrom(other.at(directory).watchTree$(''))).keys()]).toEqual(relative);
        const children = await other.children(directory);
        expect(children.map(child => child.name)).toEqual(inOrder(new Set(relative.map(name => name.split('/')[0] as string))));
        expect(children).toEqual((await other.list(directory)).children());

        await store.deleteTree(directory);
        expect([...(await other.list('')).keys()]).toEqual(rest);
        await until(() => seen?.size === 0, 'the watch to show that its directory is empty');
      } finally {
        watch.unsubscribe();
        await store.deleteTree('');
      }
    },
  );
}

function inOrder(keys: Iterable<string>): string[] {
  return [...keys].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function contents(snapshot: Snapshot): [string, number[]][] {
  return [...snapshot].map(({ key: name, value }) => [name, [...value]]);
}
