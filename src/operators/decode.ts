import {
  catchError,
  concatMap,
  defaultIfEmpty,
  defer,
  EMPTY,
  forkJoin,
  from,
  map,
  type Observable,
  type ObservableInput,
  of,
  take,
  throwError,
} from 'rxjs';
import { type Codec, isPromise, undecodable } from '../codec.js';
import type { Entry } from '../entry.js';
import { type KvError, invalid as refusal } from '../errors.js';
import { checkKnown } from '../known.js';
import type { TreeChange } from './change.js';
import { checkChoice } from './choice.js';

/** A {@link TreeChange} with values in place of entries. `previous` is missing where it could not be decoded. */
export type DecodedChange<T> =
  | { readonly type: 'added'; readonly key: string; readonly value: T; readonly previous?: undefined; readonly initial: boolean }
  | { readonly type: 'modified'; readonly key: string; readonly value: T; readonly previous?: T; readonly initial: boolean }
  | { readonly type: 'deleted'; readonly key: string; readonly value?: undefined; readonly previous?: T; readonly initial: boolean };

/** What decode() makes of an entry, of undefined, and of a tree change. */
export type Decoded<I, T> = I extends undefined ? undefined : I extends TreeChange ? DecodedChange<T> : I extends Entry ? T : never;

export interface DecodeOptions<T> {
  /**
   * What becomes of a value that the codec refuses. `error`, the default: the stream errors `undecodable`.
   * `keep-last`: it is dropped and the last good value stands; while there was none yet, nothing is emitted. A
   * function: what it gives back is emitted instead and should complete, since later values wait for it; of a
   * tree change's only the first value counts, and with none the change is dropped.
   */
  readonly invalid?: 'error' | 'keep-last' | ((error: KvError, entry: Entry) => ObservableInput<T>);
}

/**
 * Values in place of entries: entries become what the codec reads in them, undefined (an absent key) stays
 * undefined, tree changes become `{ type, key, value?, previous?, initial }`.
 *
 * ```
 * watch$  --"1"----undefined----"2"--
 *            decode(json())
 *         --1------undefined----2----
 * ```
 *
 * The order is kept with an asynchronous codec too, each value waiting for those before it; a synchronous codec
 * emits in the same turn. A refused value is a permanent error (`undecodable` is not transient): retrying would read
 * the same bytes again.
 *
 * Tree changes stay true to what the subscriber has seen: where a key's values were dropped, `previous` is the last
 * one emitted, a first good value is `added`, and a key that never had one is not reported as `deleted`. A `previous`
 * that cannot be decoded is left out and is no error.
 *
 * @throws KvError `invalid` for an unknown option or a codec without `decode`, when the operator is made
 * @example
 * store.watch$('config/http').pipe(retryTransient(), decode(json(schema), { invalid: 'keep-last' })).subscribe(serve);
 * store.watchTree$('hosts').pipe(retryTransient(), diff(), decode(utf8)).subscribe(({ type, key, value }) => ...);
 */
export function decode<T>(
  codec: Codec<T>,
  options: DecodeOptions<T> = {},
): <I extends Entry | TreeChange | undefined>(source: Observable<I>) => Observable<Decoded<I, T>> {
  if (typeof codec?.decode !== 'function') throw refusal('decode() takes a codec: this one has no decode');
  checkKnown(options, ['invalid'], 'decode()');
  const reader: Reader<T> = { codec, instead: replacement(options.invalid) };
  return <I extends Entry | TreeChange | undefined>(source: Observable<I>) =>
    defer(() => {
      const standing: Standing<T> = new Map();
      return source.pipe(
        concatMap((item): Observable<T | undefined | DecodedChange<T>> => {
          if (item === undefined) return of(undefined);
          return 'type' in item ? decodedChange(reader, item, standing) : decodedEntry(reader, item);
        }),
      );
      // TypeScript cannot see that each branch above is that of the conditional type.
    }) as Observable<Decoded<I, T>>;
}

interface Reader<T> {
  readonly codec: Codec<T>;
  readonly instead: (error: KvError, entry: Entry) => ObservableInput<T>;
}

/**
 * What the subscriber has of each key whose present value was refused: nothing, or a value (unknown where that
 * one could not be decoded either). Keys in good order are not in it.
 */
type Standing<T> = Map<string, Seen<T>>;
type Seen<T> = { readonly seen: false } | { readonly seen: true; readonly value?: T };

/** `refused` values stand in for what could not be decoded; a missing value was dropped. */
type Reading<T> = { readonly refused: boolean; readonly value?: T };

function replacement<T>(invalid: NonNullable<DecodeOptions<T>['invalid']> = 'error'): Reader<T>['instead'] {
  if (typeof invalid === 'function') return invalid;
  checkChoice('decode()', 'invalid', invalid, ['error', 'keep-last']);
  return invalid === 'error' ? error => throwError(() => error) : () => EMPTY;
}

function decodedEntry<T>({ codec, instead }: Reader<T>, entry: Entry): Observable<T> {
  return attempt(codec, entry).pipe(catchError((error: KvError) => instead(error, entry)));
}

function decodedChange<T>(reader: Reader<T>, change: TreeChange, standing: Standing<T>): Observable<DecodedChange<T>> {
  const { key, initial } = change;
  const before$ = seenBefore(reader, change, standing.get(key));
  if (change.type === 'deleted') {
    return before$.pipe(
      concatMap(before => {
        standing.delete(key);
        return before.seen ? of({ type: 'deleted', key, ...previous(before), initial } as const) : EMPTY;
      }),
    );
  }
  return forkJoin([before$, readingOf(reader, change.entry)]).pipe(
    concatMap(([before, now]) => {
      if (!now.refused) standing.delete(key);
      else standing.set(key, 'value' in now ? { seen: true, value: now.value as T } : before);
      if (!('value' in now)) return EMPTY;
      const value = now.value as T;
      return of<DecodedChange<T>>(
        before.seen ? { type: 'modified', key, value, ...previous(before), initial } : { type: 'added', key, value, initial },
      );
    }),
  );
}

/** What the subscriber has of the key before this change. */
function seenBefore<T>({ codec }: Reader<T>, change: TreeChange, standing: Seen<T> | undefined): Observable<Seen<T>> {
  if (change.previous === undefined) return of({ seen: false });
  if (standing !== undefined) return of(standing);
  return attempt(codec, change.previous).pipe(
    map(value => ({ seen: true, value }) as const),
    catchError(() => of({ seen: true } as const)),
  );
}

function previous<T>(before: Seen<T>): { previous?: T } {
  return 'value' in before ? { previous: before.value as T } : {};
}

function readingOf<T>(reader: Reader<T>, entry: Entry): Observable<Reading<T>> {
  return attempt(reader.codec, entry).pipe(
    map((value): Reading<T> => ({ refused: false, value })),
    catchError((error: KvError) =>
      from(reader.instead(error, entry)).pipe(
        take(1),
        map((value): Reading<T> => ({ refused: true, value })),
        defaultIfEmpty<Reading<T>, Reading<T>>({ refused: true }),
      ),
    ),
  );
}

/** Emits in the same turn where the codec answers at once; errors `undecodable` with the key. */
function attempt<T>(codec: Codec<T>, entry: Entry): Observable<T> {
  return defer(() => {
    const value = codec.decode(entry.value);
    return isPromise(value) ? from(value) : of(value);
  }).pipe(catchError(error => throwError(() => undecodable(error, entry.key))));
}
