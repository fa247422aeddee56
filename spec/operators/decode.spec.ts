import { concat, EMPTY, NEVER, type Observable, of, Subject, throwError, timer } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { bytes, type Codec, json, utf8 } from '../../src/codec.js';
import type { Entry } from '../../src/entry.js';
import { KvError } from '../../src/errors.js';
import type { TreeChange } from '../../src/operators/change.js';
import { type DecodedChange, type DecodeOptions, decode } from '../../src/operators/decode.js';

function entry(value: string, key = 'k'): Entry {
  return { key, value: new TextEncoder().encode(value), revision: 1n, created: 1n, leased: false };
}

function added(value: string, key = 'k'): TreeChange {
  return { type: 'added', key, entry: entry(value, key), initial: false };
}

function modified(before: string, value: string, key = 'k'): TreeChange {
  return { type: 'modified', key, entry: entry(value, key), previous: entry(before, key), initial: false };
}

function deleted(before: string, key = 'k'): TreeChange {
  return { type: 'deleted', key, previous: entry(before, key), initial: false };
}

/** Numbers; everything else is refused. */
const number = json(z.number());

/** What a subscriber is told of these changes, in short: `+1`, `~1>2`, `-2`; `?` for an unknown previous value. */
function told(changes: readonly TreeChange[], options?: DecodeOptions<number>): string[] {
  const seen: string[] = [];
  of(...changes)
    .pipe(decode(number, options))
    .subscribe({ next: change => seen.push(short(change)), error: (error: KvError) => seen.push(error.code) });
  return seen;
}

function short({ type, key, value, previous = '?' as never }: DecodedChange<number>): string {
  const where = key === 'k' ? '' : `${key}:`;
  return where + { added: `+${value}`, modified: `~${previous}>${value}`, deleted: `-${previous}` }[type];
}

function marbles(): TestScheduler {
  return new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
}

/** Answers after as many virtual ms as the number says, so that later values would overtake earlier ones. */
const slow: Codec<number> = {
  encode: value => utf8.encode(String(value)),
  decode: value => thenable(timer(Number(utf8.decode(value)) % 10), Number(utf8.decode(value))),
};

/** A promise that resolves in virtual time: TestScheduler cannot wait for a real one. */
function thenable<T>(when: Observable<unknown>, value: T): Promise<T> {
  const promise = new Promise<T>(() => {});
  // oxlint-disable-next-line unicorn/no-thenable -- to be one is its purpose
  promise.then = (resolve): Promise<never> => {
    when.subscribe(() => {
      resolve?.(value);
    });
    return Promise.resolve() as Promise<never>;
  };
  return promise;
}

describe('decode of entries', () => {
  test('entries become values and undefined stays undefined', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold<Entry | undefined>('-a-u-b|', { a: entry('1'), u: undefined, b: entry('2') });
      const expected = '                       -a-u-b|';

      expectObservable(source.pipe(decode(number))).toBe(expected, { a: 1, u: undefined, b: 2 });
      expectSubscriptions(source.subscriptions).toBe('^-----!');
    });
  });

  test('a synchronous codec emits in the same turn', () => {
    const source = new Subject<Entry>();
    const seen: string[] = [];
    source.pipe(decode(utf8)).subscribe(value => seen.push(value));
    source.next(entry('now'));

    expect(seen).toEqual(['now']);
  });

  test('an asynchronous codec keeps the order, and completion waits for it', () => {
    marbles().run(({ cold, expectObservable }) => {
      const source = cold('ab|', { a: entry('5'), b: entry('1') });
      const expected = '   -----a(b|)';

      expectObservable(source.pipe(decode(slow)), '^-------!').toBe(expected, { a: 5, b: 1 });
    });
  });

  test('a value that is still being decoded is not emitted after unsubscribing', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('a----', { a: entry('5') });

      expectObservable(source.pipe(decode(slow)), '^--!').toBe('---');
      expectSubscriptions(source.subscriptions).toBe('^--!');
    });
  });

  test('a real promise is awaited, and its refusal is undecodable', async () => {
    const later = json(z.number().refine(async value => value > 0));
    const seen: unknown[] = [];
    const done = new Promise<KvError>(resolve => {
      of(entry('1'), entry('-1'), entry('2'))
        .pipe(decode(later))
        .subscribe({ next: value => seen.push(value), error: resolve });
    });

    expect(await done).toMatchObject({ code: 'undecodable', key: 'k' });
    expect(seen).toEqual([1]);
  });

  test('a refused value errors undecodable with its key and never the value, and the source is left', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-a-b-', { a: entry('1'), b: entry('"hunter2"', 'config/port') });
      const error = new KvError('undecodable', 'key "config/port": the schema found 1 issue: at the top', { key: 'config/port' });

      expectObservable(source.pipe(decode(number))).toBe('-a-#', { a: 1 }, error);
      expectSubscriptions(source.subscriptions).toBe('^--!');
    });
  });

  test("what another's codec throws is the cause", () => {
    const mine = new Error('too odd');
    const codec: Codec<never> = {
      encode: () => new Uint8Array(),
      decode: () => {
        throw mine;
      },
    };
    let seen: unknown;
    of(entry('x'))
      .pipe(decode(codec))
      .subscribe({
        error: (error: unknown) => {
          seen = error;
        },
      });

    expect(seen).toMatchObject({ code: 'undecodable', transient: false, cause: mine });
    expect((seen as KvError).message).not.toContain('too odd');
  });

  test('an error of the source is passed on as it is', () => {
    marbles().run(({ cold, expectObservable }) => {
      expectObservable(cold<Entry>('-#', {}, 'mine').pipe(decode(utf8))).toBe('-#', {}, 'mine');
    });
  });

  test('keep-last drops what is refused: the last good value stands, and before it there is nothing', () => {
    marbles().run(({ cold, expectObservable }) => {
      const source = cold('xaxub|', { x: entry('bad'), a: entry('1'), u: undefined, b: entry('2') });
      const expected = '   -a-ub|';

      expectObservable(source.pipe(decode(number, { invalid: 'keep-last' }))).toBe(expected, { a: 1, u: undefined, b: 2 });
    });
  });

  test('a function says what comes instead, in its place, and later values wait for it', () => {
    const asked: unknown[] = [];
    marbles().run(({ cold, expectObservable }) => {
      const source = cold('a-x-b|', { a: entry('1'), x: entry('bad', 'x'), b: entry('2') });
      const expected = '   a-c----(db|)';
      const invalid = (error: KvError, refused: Entry): Observable<number> => {
        asked.push(error.code, refused.key);
        return cold('c----(d|)', { c: 7, d: 8 });
      };

      expectObservable(source.pipe(decode(number, { invalid }))).toBe(expected, { a: 1, b: 2, c: 7, d: 8 });
    });

    expect(asked).toEqual(['undecodable', 'x']);
  });

  test('what the function throws or answers as an error is the error', () => {
    const ended = (invalid: DecodeOptions<number>['invalid']): unknown => {
      let seen: unknown;
      of(entry('bad'))
        .pipe(decode(number, { invalid: invalid as never }))
        .subscribe({
          error: (error: unknown) => {
            seen = error;
          },
        });
      return seen;
    };

    expect(ended(() => throwError(() => 'answered'))).toBe('answered');
    expect(
      ended(() => {
        throw new Error('thrown');
      }),
    ).toEqual(new Error('thrown'));
  });

  test('unsubscribing inside next stops at once', () => {
    const seen: string[] = [];
    const source = new Subject<Entry>();
    const subscription = source.pipe(decode(utf8)).subscribe(value => {
      seen.push(value);
      source.next(entry('nested'));
      subscription.unsubscribe();
    });
    source.next(entry('first'));

    expect(seen).toEqual(['first']);
    expect(source.observed).toBe(false);
  });
});

describe('decode of tree changes', () => {
  test('carries value and previous in place of entries', () => {
    const seen: unknown[] = [];
    of(added('1'), modified('1', '2'), deleted('2'))
      .pipe(decode(number))
      .subscribe(change => seen.push(change));

    expect(seen).toEqual([
      { type: 'added', key: 'k', value: 1, initial: false },
      { type: 'modified', key: 'k', value: 2, previous: 1, initial: false },
      { type: 'deleted', key: 'k', previous: 2, initial: false },
    ]);
  });

  test('initial is kept', () => {
    const seen: unknown[] = [];
    of<TreeChange>({ ...added('1'), initial: true } as TreeChange)
      .pipe(decode(number))
      .subscribe(change => seen.push(change.initial));

    expect(seen).toEqual([true]);
  });

  test('an asynchronous codec keeps the order, value and previous decoded side by side', () => {
    marbles().run(({ cold, expectObservable }) => {
      const source = cold('ab', { a: modified('9', '5'), b: deleted('1') });
      const changes = source.pipe(decode(slow));

      expectObservable(changes, '^--------------!').toBe('---------ab', {
        a: { type: 'modified', key: 'k', value: 5, previous: 9, initial: false },
        b: { type: 'deleted', key: 'k', previous: 1, initial: false },
      });
    });
  });

  test('a previous value that cannot be decoded is left out, and is no error', () => {
    expect(told([modified('bad', '2')])).toEqual(['~?>2']);
    expect(told([deleted('bad')])).toEqual(['-?']);
  });

  test('a refused value is an error unless told', () => {
    expect(told([added('1'), modified('1', 'bad'), modified('bad', '2')])).toEqual(['+1', 'undecodable']);
  });

  test.each<[string, TreeChange[], string[]]>([
    ['the last good value is the previous one of the next', [added('1'), modified('1', 'bad'), modified('bad', '2')], ['+1', '~1>2']],
    ['also over several refused ones', [modified('1', 'b'), modified('b', 'c'), modified('c', '2'), deleted('2')], ['~1>2', '-2']],
    ['a first good value is added', [added('bad'), modified('bad', '2'), modified('2', '3')], ['+2', '~2>3']],
    ['a key that never had one is not deleted', [added('bad'), deleted('bad'), added('1')], ['+1']],
    ['a key whose last value was refused is deleted with the good one', [added('1'), modified('1', 'bad'), deleted('bad')], ['+1', '-1']],
    ['a key that is added anew begins anew', [added('1'), modified('1', 'bad'), added('3'), modified('3', '4')], ['+1', '+3', '~3>4']],
    ['an unknown earlier value stays unknown', [modified('bad', 'worse'), modified('worse', '1')], ['~?>1']],
    [
      'keys do not touch each other',
      [added('1'), added('bad', 'o'), modified('1', '2'), modified('bad', '3', 'o')],
      ['+1', '~1>2', 'o:+3'],
    ],
  ])('keep-last: %s', (_, changes, expected) => {
    expect(told(changes, { invalid: 'keep-last' })).toEqual(expected);
  });

  test('a function: the first value it gives counts, and stands as the previous one', () => {
    const changes = [added('bad'), modified('bad', 'worse'), modified('worse', '2'), deleted('2')];

    expect(told(changes, { invalid: (_, { value }) => of(value.length, 99) })).toEqual(['+3', '~3>5', '~5>2', '-2']);
    expect(told(changes, { invalid: () => concat(of(7), NEVER) })).toEqual(['+7', '~7>7', '~7>2', '-2']);
  });

  test('a function that gives nothing drops the change', () => {
    expect(told([added('1'), modified('1', 'bad'), modified('bad', '2')], { invalid: () => EMPTY })).toEqual(['+1', '~1>2']);
  });

  test('the function is asked once for each refused value, never for a previous one', () => {
    const asked: string[] = [];
    told([added('bad'), modified('bad', 'worse'), deleted('worse')], {
      invalid: (_, refused) => {
        asked.push(utf8.decode(refused.value));
        return EMPTY;
      },
    });

    expect(asked).toEqual(['bad', 'worse']);
  });

  test('each subscription remembers for itself', () => {
    const source = of(added('bad'), modified('bad', '2')).pipe(decode(number, { invalid: 'keep-last' }));
    const seen: string[] = [];
    for (let i = 0; i < 2; i++) source.subscribe(change => seen.push(short(change)));

    expect(seen).toEqual(['+2', '+2']);
  });
});

describe('decode', () => {
  test.each([
    [{ invald: 'error' }, 'unknown option "invald" of decode(): did you mean "invalid"?'],
    [{ invalid: 'ignore' }, 'option invalid of decode() is "error" or "keep-last"'],
    [{ invalid: null }, 'option invalid of decode() is "error" or "keep-last"'],
    ['keep-last', 'the options of decode() are an object, not a string'],
  ])('refuses %j when it is made', (options, message) => {
    expect(() => decode(utf8, options as never)).toThrow(expect.objectContaining({ code: 'invalid', message }));
  });

  test.each([undefined, {}, 'utf8'])('refuses %j as a codec when it is made', codec => {
    expect(() => decode(codec as never)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });

  test('the types follow what comes in and what the codec gives', () => {
    const entries = NEVER as Observable<Entry>;
    const maybe = NEVER as Observable<Entry | undefined>;
    const changes = NEVER as Observable<TreeChange>;

    expectTypeOf(entries.pipe(decode(utf8))).toEqualTypeOf<Observable<string>>();
    expectTypeOf(maybe.pipe(decode(utf8))).toEqualTypeOf<Observable<string | undefined>>();
    expectTypeOf(maybe.pipe(decode(json()))).toEqualTypeOf<Observable<unknown>>();
    expectTypeOf(maybe.pipe(decode(bytes))).toEqualTypeOf<Observable<Uint8Array | undefined>>();
    expectTypeOf(changes.pipe(decode(number))).toEqualTypeOf<Observable<DecodedChange<number>>>();
    expectTypeOf(maybe.pipe(decode(number, { invalid: 'keep-last' }))).toEqualTypeOf<Observable<number | undefined>>();
    expectTypeOf(maybe.pipe(decode(number, { invalid: () => [0] }))).toEqualTypeOf<Observable<number | undefined>>();

    // @ts-expect-error: a string is neither an entry nor a change
    of('text').pipe(decode(utf8));
    // @ts-expect-error: what comes instead is of the codec's type
    decode(number, { invalid: () => of('text') });
    expectTypeOf<Extract<DecodedChange<number>, { type: 'added' }>['value']>().toEqualTypeOf<number>();
    expectTypeOf<Extract<DecodedChange<number>, { type: 'deleted' }>['value']>().toEqualTypeOf<undefined>();
  });
});
