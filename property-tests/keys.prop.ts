import { fc, test } from '@fast-check/vitest';
import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { until } from '../src/conformance/waiting.js';
import { KvError } from '../src/errors.js';
import type { Store } from '../src/interface.js';
import { byteLength, decodeSegment, encodeSegment, isKey, normaliseDirectory, normaliseKey, prefixEnd } from '../src/key.js';
import type { Snapshot } from '../src/snapshot.js';
import { createStore } from '../src/store.js';
import { backends, type Place } from './backends.js';

/** Characters that some server or client of ours gives a meaning to, or that look alike and are not. */
const awkward = [
  ...'%*[]?\\"\'{}:#&=+@!^$|<>;, .~-_0'.split(''),
  'é',
  'e\u0301',
  '\u00a0',
  '\u200b',
  '\u2028',
  '\ufeff',
  '\uffff',
  '～',
  '😀',
  '\u{10ffff}',
];
const control = /[\u0000-\u001f\u007f-\u009f]/; // oxlint-disable-line no-control-regex

const character = fc.oneof(
  fc.constantFrom(...awkward),
  fc.constantFrom('a', 'b'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter(one => one !== '/' && !control.test(one)),
);
const segment = fc.string({ unit: character, minLength: 1, maxLength: 8 }).filter(one => !['.', '..', '~rxkv'].includes(one));
const short = fc.array(segment, { minLength: 1, maxLength: 5 }).map(segments => segments.join('/'));
/** As long as a key may be, in characters of one to four bytes. */
const long = fc
  .tuple(short, fc.constantFrom('x', 'é', '～', '😀', 'x/'), fc.integer({ min: 1000, max: 1024 }))
  .map(([start, fill, most]) => {
    const key = start + fill.repeat(Math.floor((most - byteLength(start)) / byteLength(fill)));
    return key.endsWith('/') ? key.slice(0, -1) : key;
  });
const key = fc.oneof({ weight: 4, arbitrary: short }, long);
const spelled = fc.tuple(key, fc.constantFrom('', '/'), fc.constantFrom('', '/', '//')).map(([plain, before, after]) => ({
  plain,
  written: before + plain + after,
}));

/** Strings of pieces that are hazards, most of them no keys. */
const hazard = fc.string({
  unit: fc.constantFrom(
    'a',
    'b',
    '/',
    '/',
    '.',
    '~rxkv',
    '\u0000',
    '\u001f',
    '\u007f',
    '\u0085',
    '\ud83d',
    '\ude00',
    '😀',
    '～'.repeat(300),
  ),
  maxLength: 8,
});

/** Keys and directories that are often one another's directory, sibling or beginning. */
const near = fc
  .array(fc.string({ unit: fc.constantFrom('a', 'b', '-', '0', '～'), minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 3 })
  .map(segments => segments.join('/'));

/** What the design says of keys, in other words than key.ts. */
function wanted(written: string): string | undefined {
  const plain = written.replace(/^\//, '').replace(/\/+$/, '');
  const segments = plain.split('/');
  const good = segments.every(one => one !== '' && one !== '.' && one !== '..' && one !== '~rxkv');
  const whole = !/\p{Surrogate}/u.test(plain) && !control.test(plain);
  return good && whole && new TextEncoder().encode(plain).length <= 1024 ? plain : undefined;
}

function accepted(normalise: () => string): string | undefined {
  try {
    return normalise();
  } catch (error) {
    if (KvError.is(error) && error.code === 'invalid') return undefined;
    throw error;
  }
}

function inOrder(keys: Iterable<string>): string[] {
  return [...keys].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function contents(snapshot: Snapshot): [string, number[]][] {
  return [...snapshot].map(({ key: name, value }) => [name, [...value]]);
}

describe('keys', () => {
  test.prop([spelled])(
    'normalisation: every spelling of a key is that key, and normalising again changes nothing',
    ({ plain, written }) => {
      expect(normaliseKey(written)).toBe(plain);
      expect(normaliseKey(normaliseKey(written))).toBe(plain);
      expect(normaliseDirectory(written)).toBe(`${plain}/`);
      expect(normaliseDirectory(normaliseDirectory(written))).toBe(`${plain}/`);
      expect(isKey(plain)).toBe(true);
      expect(isKey(written)).toBe(written === plain);
    },
  );

  test.prop([hazard])('normalisation: a string is refused as invalid or is a key, as the design has it', written => {
    expect(accepted(() => normaliseKey(written))).toBe(wanted(written));
    const root = /^\/*$/.test(written);
    expect(accepted(() => normaliseDirectory(written))).toBe(root ? '' : wanted(written) === undefined ? undefined : `${wanted(written)}/`);
    expect(isKey(written)).toBe(wanted(written) === written);
  });

  test.prop([near, key])('base: the path of a view stands before the key and counts in its length', (base, name) => {
    const prefix = `${base}/`;
    const fits = byteLength(prefix + name) <= 1024;

    expect(accepted(() => normaliseKey(name, prefix))).toBe(fits ? prefix + name : undefined);
    expect(accepted(() => normaliseDirectory(name, prefix))).toBe(fits ? `${prefix}${name}/` : undefined);
  });

  test.prop([key])('length: counted in bytes of UTF-8', name => {
    expect(byteLength(name)).toBe(new TextEncoder().encode(name).length);
  });

  test.prop([key, key])('segments: a name as one segment is one segment, its own, and comes back', (name, other) => {
    expect(encodeSegment(name)).not.toContain('/');
    expect(decodeSegment(encodeSegment(name))).toBe(name);
    expect(encodeSegment(name) === encodeSegment(other)).toBe(name === other);
  });

  test.prop([near, near])('range: what lies between a prefix and its end is what begins with it', (directory, name) => {
    const prefix = `${directory}/`;

    expect(prefix <= name && name < (prefixEnd(prefix) as string)).toBe(name.startsWith(prefix));
  });
});

describe.each(backends)('keys on $name', ({ open }) => {
  let place: Place;
  let store: Store;
  let other: Store;
  beforeAll(() => {
    place = open();
    store = createStore(place.connect());
    other = createStore(place.connect());
  });
  afterAll(async () => {
    await Promise.all([store.close(), other.close()]);
    place.end();
  });

  const records = fc.uniqueArray(fc.tuple(spelled, fc.uint8Array({ maxLength: 20 })), {
    selector: ([{ plain }]) => plain,
    minLength: 1,
    maxLength: 6,
  });

  test.prop([records])('binary safe: any key and any bytes come back as they are, by every way to read', async written => {
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

  test.prop([fc.uniqueArray(near, { maxLength: 12 }), near, fc.integer({ min: 1, max: 3 })])(
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
});
