import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { bytes, type Codec, json, utf8 } from '../src/codec.js';
import { KvError } from '../src/errors.js';

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return KvError.is(error) ? error.code : `not a KvError: ${String(error)}`;
  }
  return 'nothing thrown';
}

async function refusal(run: () => unknown): Promise<KvError> {
  try {
    await run();
  } catch (error) {
    if (KvError.is(error)) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('bytes', () => {
  test('lends what it gets', () => {
    const value = new Uint8Array([0, 255]);

    expect(bytes.encode(value)).toBe(value);
    expect(bytes.decode(value)).toBe(value);
  });

  test('refuses to encode anything else', () => {
    expect(codeOf(() => bytes.encode('text' as unknown as Uint8Array))).toBe('invalid');
  });
});

describe('utf8', () => {
  test.each(['', 'blue', 'ünïcödé 😀', '\u0000', '\ufeffmark'])('%j comes back as it was', value => {
    expect(utf8.decode(utf8.encode(value))).toBe(value);
  });

  test('refuses bytes that are no UTF-8, and works on after it', () => {
    expect(codeOf(() => utf8.decode(new Uint8Array([0xff])))).toBe('undecodable');
    expect(codeOf(() => utf8.decode(new Uint8Array([0xe2, 0x82])))).toBe('undecodable');
    expect(utf8.decode(encoded('fine'))).toBe('fine');
  });

  test.each(['\ud800', 'a\udc00b', '\udc00\ud800'])('refuses to encode half a surrogate pair: %j', value => {
    expect(codeOf(() => utf8.encode(value))).toBe('invalid');
  });

  test('refuses to encode what is no string', () => {
    expect(codeOf(() => utf8.encode(5 as unknown as string))).toBe('invalid');
  });
});

describe('json', () => {
  test.each([null, true, 0, 'text', [1, [2]], { a: { b: 'ü' } }])('%j comes back as it was', value => {
    expect(json().decode(json().encode(value))).toEqual(value);
  });

  test.each([undefined, () => 1, Symbol('s'), 5n, { deep: 5n }])('refuses to encode what JSON cannot express (%#)', value => {
    expect(codeOf(() => json().encode(value))).toBe('invalid');
  });

  test('refuses to encode a cycle', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;

    expect(codeOf(() => json().encode(cycle))).toBe('invalid');
  });

  test('refuses what is no JSON or no UTF-8, without quoting it', async () => {
    const error = await refusal(() => json().decode(encoded('hunter2')));

    expect(error.code).toBe('undecodable');
    expect(error.message).not.toContain('hunter2');
    expect(error.cause).toBeUndefined();
    expect(codeOf(() => json().decode(new Uint8Array([0x22, 0xff, 0x22])))).toBe('undecodable');
  });

  test('refuses a schema that is none when it is made', () => {
    expect(codeOf(() => json({} as never))).toBe('invalid');
    expect(codeOf(() => json({ '~standard': {} } as never))).toBe('invalid');
  });
});

describe('json with a schema', () => {
  const schemas = {
    zod: z.object({ port: z.number(), hosts: z.array(z.string()) }),
    valibot: v.object({ port: v.number(), hosts: v.array(v.string()) }),
    arktype: type({ port: 'number', hosts: 'string[]' }),
  };

  test.each(Object.entries(schemas))('%s lets a good value through and names where a bad one fails', async (_, schema) => {
    const codec: Codec<unknown> = json(schema);
    const good = { port: 80, hosts: ['a'] };
    const error = await refusal(() => codec.decode(encoded('{"port":"hunter2","hosts":["a",5]}')));

    expect(await codec.decode(codec.encode(good))).toEqual(good);
    expect(error).toMatchObject({ code: 'undecodable', transient: false });
    expect(error.message).toContain('2 issues');
    expect(error.message).toContain('port');
    expect(error.message).toContain('hosts.1');
    expect(error.message).not.toContain('hunter2');
  });

  test('an issue of the whole value is at the top, and of many issues the first few are named', async () => {
    const whole = await refusal(() => json(z.number()).decode(encoded('"hunter2"')));
    const many = await refusal(() => json(z.array(z.string())).decode(encoded('[1,2,3,4,5,6,7]')));

    expect(whole.message).toBe('the schema found 1 issue: at the top');
    expect(many.message).toBe('the schema found 7 issues: at 0, 1, 2, 3, 4, and 2 more');
  });

  test('gives the output of a schema that transforms', () => {
    const codec = json(z.string().transform(text => text.length));

    expectTypeOf(codec).toEqualTypeOf<Codec<number>>();
    expect(codec.decode(encoded('"four"'))).toBe(4);
  });

  test('an asynchronous schema is awaited', async () => {
    const codec = json(z.string().refine(async text => text !== 'hunter2'));

    expect(codec.decode(encoded('"blue"'))).toBeInstanceOf(Promise);
    expect(await codec.decode(encoded('"blue"'))).toBe('blue');
    expect((await refusal(() => codec.decode(encoded('"hunter2"')))).code).toBe('undecodable');
  });

  test.each([
    ['at once', () => JSON.parse('hunter2')],
    ['later', async () => JSON.parse('hunter2')],
  ])('a schema that throws %s refuses, and what it threw is not shown', async (_, validate) => {
    const codec = json({ '~standard': { version: 1, vendor: 'spec', validate } });
    const error = await refusal(() => codec.decode(encoded('1')));

    expect(error.message).toBe('the schema threw SyntaxError');
    expect(error.cause).toBeUndefined();
  });

  test('the types are those of the schema', () => {
    expectTypeOf(json()).toEqualTypeOf<Codec<unknown>>();
    expectTypeOf(json(schemas.zod)).toEqualTypeOf<Codec<{ port: number; hosts: string[] }>>();
    expectTypeOf(json(schemas.valibot)).toEqualTypeOf<Codec<{ port: number; hosts: string[] }>>();
    expectTypeOf(json(schemas.arktype)).toEqualTypeOf<Codec<{ port: number; hosts: string[] }>>();
  });
});
