/** Keys: one spelling, every Unicode string, and refusal at the door of what is no key. */
import { firstValueFrom } from 'rxjs';
import type { Entry } from '../entry.js';
import type { Store } from '../interface.js';
import { text } from '../text.js';
import { keysOf, order, pairsOf } from './contents.js';
import type { Context } from './context.js';
import { proof, type Topic } from './topic.js';
import { refused } from './waiting.js';

const long = 'segment-'.repeat(20);

/** Segments that some server, path, glob, pattern, URL or object would take for something else. */
// biome-ignore format: a table
const oddSegments: readonly string[] = [
  ' ', ' a ', '  two', 'a b', '.hidden', 'dot.', '...', '..a', 'a..b', '-', '_', '0', '007', '-1', 'A', 'a', 'Key', 'key',
  '%', '%%', '%2F', '%25', '%u002f', '100%', '%00', '+', '&', '=', '#', '?', '??', '*', '**', '[', ']', '[a-z]', '{', '}', '{tag}', '{}',
  '\\', '\\*', '\\\\', '|', '^', '$', '(', ')', '<', '>', '"', "'", '`', '!', '@', ':', ';', ',', '~', '~rxkv2', 'rxkv', '~', 'a:b', 'c:\\d',
  '__proto__', 'constructor', 'toString', 'zookeeper', 'null', 'undefined', 'true', '_c_0-lock-0000000001', '.lock', 'config__',
  'é', 'e\u0301', 'ß', 'ı', 'İ', '名前', 'имя', 'مفتاح', '\u00a0', '\u2028', '\u202e', '\u200b', '\ufeff', '\ufffd', '\uffff', '\ue000', '\ud7ff',
  '😀', '👨‍👩‍👧', '\u{10ffff}', '\u{1f600}a', long,
];

/** No keys, and why. */
const invalidKeys: readonly (readonly [string, string])[] = [
  ['', 'empty'],
  ['/', 'empty once its slash is dropped'],
  ['//', 'nothing but slashes'],
  ['a//b', 'an empty segment'],
  ['//a', 'an empty first segment'],
  ['.', 'a dot'],
  ['..', 'two dots'],
  ['a/./b', 'a dot within'],
  ['a/..', 'two dots at the end'],
  ['../a', 'two dots at the start'],
  ['a\u0000', 'NUL'],
  ['a\nb', 'a line feed'],
  ['a\u001fb', 'U+001F'],
  ['a\u007fb', 'DEL'],
  ['a\u0085b', 'a C1 control'],
  ['\ud800', 'half a surrogate pair'],
  ['a\udc00b', 'the other half'],
  ['\udc00\ud800', 'both halves in the wrong order'],
  ['~rxkv', 'the reserved segment'],
  ['~rxkv/locks', 'below the reserved segment'],
  ['a/~rxkv', 'the reserved segment within'],
  ['a/~rxkv/b', 'the reserved segment in the middle'],
  ['/~rxkv/', 'the reserved segment with slashes'],
];

const someEntry: Entry = { key: 'a', value: new Uint8Array(), revision: 1n, created: 1n, leased: false };

/** Every call that takes a key. */
const callsOfKey: Readonly<Record<string, (store: Store, key: string) => Promise<unknown>>> = {
  get: (store, key) => store.get(key),
  exists: (store, key) => store.exists(key),
  put: (store, key) => store.put(key, 'x'),
  delete: (store, key) => store.delete(key),
  atomicPut: (store, key) => store.atomicPut(key, 'x', undefined),
  atomicDelete: (store, key) => store.atomicDelete(key, { ...someEntry, key }),
  update: (store, key) => store.update(key, () => 'x'),
  'transaction with a put': (store, key) => store.transaction({ ops: [{ put: key, value: 'x' }] }),
  'transaction with a delete': (store, key) => store.transaction({ ops: [{ delete: key }] }),
  'transaction with a check': (store, key) =>
    store.transaction({ checks: [{ key, entry: undefined }], ops: [{ put: 'fine', value: 'x' }] }),
  watch$: (store, key) => firstValueFrom(store.watch$(key)),
  keepAlive$: (store, key) => firstValueFrom(store.keepAlive$(key, 'x', { ttl: 60_000 })),
  lock$: (store, key) => firstValueFrom(store.lock$(key)),
  lock: (store, key) => store.lock(key),
  withLock: (store, key) => store.withLock(key, async () => undefined),
  leader$: (store, key) => firstValueFrom(store.leader$(key)),
};

/** Every call that takes a directory, for which '' and '/' are the root. */
const callsOfDirectory: Readonly<Record<string, (store: Store, directory: string) => Promise<unknown>>> = {
  list: (store, directory) => store.list(directory),
  children: (store, directory) => store.children(directory),
  deleteTree: (store, directory) => store.deleteTree(directory),
  watchTree$: (store, directory) => firstValueFrom(store.watchTree$(directory)),
  'transaction with a deleteTree': (store, directory) => store.transaction({ ops: [{ deleteTree: directory }] }),
};

/** A key of exactly that many bytes, the path of the view included. */
function keyOfBytes({ base }: Context, bytes: number, unit = 'k'): string {
  const width = new TextEncoder().encode(unit).length;
  const room = bytes - base.length;
  // A slash at the very end would be dropped.
  return (unit.repeat(Math.floor(room / width)) + 'k'.repeat(room % width)).replace(/\/$/, 'k');
}

async function everyCallRefuses({ writer }: Context, key: string, why: string): Promise<void> {
  for (const [call, made] of Object.entries(callsOfKey)) {
    await refused(() => made(writer, key), 'invalid', `${call} of ${JSON.stringify(key)} (${why})`);
  }
}

export const keys: Topic = {
  name: 'keys',
  proofs: [
    proof('a leading slash and trailing slashes are dropped: every spelling is one key', async ({ writer, reader, expect }) => {
      for (const spelling of ['a/b', '/a/b', 'a/b/', '/a/b/', 'a/b///']) {
        const written = await writer.put(spelling, spelling);
        expect(written.key).toBe('a/b');
        for (const other of ['a/b', '/a/b', 'a/b//']) {
          expect(text(await reader.get(other))).toBe(spelling);
          expect(await reader.exists(other)).toBe(true);
        }
        expect(keysOf(await reader.list(''))).toEqual(['a/b']);
        expect(await writer.delete(`/${spelling.replace(/^\//, '')}/`)).toBe(true);
        expect(await reader.get(spelling)).toBeUndefined();
      }
    }),

    proof('a directory has as many spellings, and "" and "/" are the root', async ({ writer, reader, expect }) => {
      await writer.put('d/x', '1');
      for (const spelling of ['d', '/d', 'd/', '/d//']) {
        const snapshot = await reader.list(spelling);
        expect(snapshot.directory).toBe('d');
        expect(keysOf(snapshot)).toEqual(['d/x']);
        expect((await reader.children(spelling)).map(child => child.key)).toEqual(['d/x']);
      }
      for (const root of ['', '/', '//']) expect(keysOf(await reader.list(root))).toEqual(['d/x']);
    }),

    proof('every other Unicode string is a key: written, read, listed, watched and deleted under its own name', async context => {
      const { writer, reader, record, expect } = context;
      const segments = [...new Set(oddSegments)].sort(order);
      const keys = segments.map(segment => `odd/${segment}`);
      const seen = record(reader.watchTree$('odd'));
      await Promise.all(segments.map(async segment => writer.put(`odd/${segment}`, segment)));
      for (const segment of segments) {
        const entry = await reader.get(`odd/${segment}`);
        expect([entry?.key, text(entry)]).toEqual([`odd/${segment}`, segment]);
      }
      const snapshot = await reader.list('odd');
      expect(keysOf(snapshot)).toEqual(keys);
      expect(Object.keys(snapshot.toObject()).sort(order)).toEqual(segments);
      expect((await reader.children('odd')).map(child => child.name)).toEqual(segments);
      expect(pairsOf(await seen.next(({ size }) => size === keys.length, 'a watch to tell all of them'))).toEqual(pairsOf(snapshot));
      // A late subscriber shares the watch, and sees what that has seen.
      expect(pairsOf(await firstValueFrom(reader.watchTree$('odd')))).toEqual(pairsOf(snapshot));
      for (const key of keys) expect(await writer.delete(key)).toBe(true);
      expect((await reader.list('odd')).size).toBe(0);
      await seen.next(({ size }) => size === 0, 'the watch to tell that all are gone');
    }),

    proof('every other Unicode string is a directory, and a view, and matches no key but its own', async ({ writer, reader, expect }) => {
      const segments = [...new Set(oddSegments)].filter(segment => segment !== long);
      await Promise.all(segments.map(async segment => writer.at(segment).put('leaf', segment)));
      for (const segment of segments) {
        expect(pairsOf(await reader.list(segment))).toEqual({ [`${segment}/leaf`]: segment });
        expect(pairsOf(await firstValueFrom(reader.watchTree$(segment)))).toEqual({ [`${segment}/leaf`]: segment });
      }
      for (const [done, segment] of segments.entries()) {
        await writer.deleteTree(segment);
        expect((await reader.list('')).size).toBe(segments.length - done - 1);
      }
    }),

    proof('keys differ by case and by composition', async ({ writer, reader, expect }) => {
      const names = ['key', 'Key', 'KEY', 'é', 'e\u0301'];
      for (const name of names) await writer.put(name, name);
      for (const name of names) expect(text(await reader.get(name))).toBe(name);
    }),

    proof('listings are in JavaScript string order, beyond the BMP too', async ({ writer, reader, expect }) => {
      const names = ['\uffff', '😀', 'b', 'a/z', 'a-b', 'a', 'a0', 'Z', '\ue000', 'é', '10', '9'];
      for (const name of names) await writer.put(`o/${name}`, '');
      const sorted = names.map(name => `o/${name}`).sort(order);
      expect(keysOf(await reader.list('o'))).toEqual(sorted);
      expect(keysOf(await firstValueFrom(reader.watchTree$('o')))).toEqual(sorted);
    }),

    proof('a key has up to 1024 bytes of UTF-8, the path of the view included', async context => {
      const { writer, reader, expect, capabilities } = context;
      const most = Math.min(1024, capabilities.maxKey);
      for (const unit of ['k', '€', '😀', 'level/']) {
        const key = keyOfBytes(context, most, unit);
        await writer.put(key, unit);
        expect(text(await reader.get(key))).toBe(unit);
        expect(keysOf(await reader.list('')).includes(key)).toBe(true);
        await refused(() => writer.put(`${key}k`, 'x'), 'invalid', `a put of a key of ${most + 1} bytes`);
        await refused(() => reader.get(`${key}k`), 'invalid', `a get of a key of ${most + 1} bytes`);
      }
    }),

    ...invalidKeys.map(([key, why]) =>
      proof(`${JSON.stringify(key)} is no key: every call refuses it (${why})`, async context => everyCallRefuses(context, key, why)),
    ),

    proof('what is no string is no key', async context => {
      for (const wrong of [undefined, null, 42, {}, ['a']]) await everyCallRefuses(context, wrong as never, 'not a string');
    }),

    proof('what is no key is no directory either, and at() throws at once', async ({ writer, expect }) => {
      for (const [directory, why] of invalidKeys) {
        if (/^\/*$/.test(directory)) continue;
        for (const [call, made] of Object.entries(callsOfDirectory)) {
          await refused(() => made(writer, directory), 'invalid', `${call} of ${JSON.stringify(directory)} (${why})`);
        }
        let thrown: unknown;
        try {
          writer.at(directory);
        } catch (error) {
          thrown = error;
        }
        expect((thrown as { code?: string } | undefined)?.code).toBe('invalid');
      }
    }),

    proof('an invalid key costs no round trip', { hooks: ['roundTrips'] }, async context => {
      const { harness, writing, writer, expect } = context;
      await writer.get('a');
      const before = harness.roundTrips?.(writing.driver);
      await everyCallRefuses(context, 'a//b', 'an empty segment');
      expect(harness.roundTrips?.(writing.driver)).toBe(before);
    }),

    proof('keys are relative to the view in what goes in and what comes out', async ({ writing, base, writer, expect }) => {
      await writing.whole.put(`${base}v/k`, 'inside');
      const view = writing.whole.at(`${base}v`);
      expect((await view.get('k'))?.key).toBe('k');
      expect(keysOf(await view.list(''))).toEqual(['k']);
      expect(keysOf(await firstValueFrom(view.watchTree$('')))).toEqual(['k']);
      expect((await view.children('')).map(child => child.key)).toEqual(['k']);
      expect((await writer.at('v').at('').put('l/m', 'deep')).key).toBe('l/m');
      expect(text(await writer.get('v/l/m'))).toBe('deep');
      await view.deleteTree('');
      expect((await writer.list('')).size).toBe(0);
    }),

    proof('stores of different roots see nothing of each other, though one root begins like the other', async context => {
      const { writer, reader, beside, record, expect } = context;
      const other = await beside();
      const seen = record(reader.watchTree$(''));
      await seen.first('the empty snapshot');
      const lock = await other.lock('k');
      await other.put('k', 'theirs');
      expect(await reader.get('k')).toBeUndefined();
      expect((await reader.list('')).size).toBe(0);
      await writer.put('k', 'ours');
      await (await writer.lock('k', { wait: 0 })).release();
      await writer.deleteTree('');
      expect(text(await other.get('k'))).toBe('theirs');
      expect(lock.held).toBe(true);
      await lock.release();
      await writer.put('end', 'ours');
      await seen.next(now => now.has('end'), 'our own put');
      expect(seen.values.flatMap(now => [...now]).some(entry => text(entry) === 'theirs')).toBe(false);
    }),
  ],
};
