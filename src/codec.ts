/** A codec: how the bytes of a value become a value of the application's, and back. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { invalid, KvError } from './errors.js';
import { kindOf } from './kind.js';
import { isWellFormed } from './text.js';
import { isBytes } from './value.js';

/**
 * Both directions of one encoding; any object with the two methods will do.
 *
 * `decode` throws (or rejects) on what it cannot read, which `decode()` and `Snapshot.toObject()` turn into
 * KvError `undecodable` with the key. A codec whose `decode` returns a promise works with `decode()` only.
 */
export interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T | Promise<T>;
}

/** A codec that decodes at once. */
export interface SyncCodec<T> extends Codec<T> {
  decode(bytes: Uint8Array): T;
}

/** The bytes as they are: lent, not copied. */
export const bytes: SyncCodec<Uint8Array> = {
  encode(value) {
    if (!isBytes(value)) throw invalid(`bytes encodes a Uint8Array, not ${kindOf(value)}`);
    return value;
  },
  decode: value => value,
};

/**
 * Text. Bytes that are not UTF-8 are `undecodable`, a string with half a surrogate pair is `invalid`; a byte
 * order mark is kept as the character it is.
 *
 * @example store.watch$('motd').pipe(decode(utf8)) // Observable<string | undefined>
 */
export const utf8: SyncCodec<string> = {
  encode(value) {
    if (typeof value !== 'string') throw invalid(`utf8 encodes a string, not ${kindOf(value)}`);
    if (!isWellFormed(value)) throw invalid('the string has half a surrogate pair, which UTF-8 cannot express');
    return encoder.encode(value);
  },
  decode: decodeText,
};

/** What {@link utf8} decodes, for those who need nothing of it besides. */
export function decodeText(value: Uint8Array): string {
  try {
    return decoder.decode(value);
  } catch {
    throw new KvError('undecodable', 'the value is not UTF-8');
  }
}

/**
 * JSON, checked by any Standard Schema (zod, valibot, arktype), asynchronous ones included.
 *
 * What is no JSON or fails the schema is `undecodable`; the message says where, never what. Encoding takes the
 * schema's output and checks only that JSON can express it: undefined, functions, bigints and cycles are
 * `invalid`. With a schema that transforms, what was encoded need not decode again.
 *
 * @example
 * const port = json(z.object({ port: z.number() }));
 * store.watch$('config/http').pipe(decode(port)) // Observable<{ port: number } | undefined>
 */
export function json(): Codec<unknown>;
export function json<S extends StandardSchemaV1>(schema: S): Codec<StandardSchemaV1.InferOutput<S>>;
export function json(schema?: StandardSchemaV1): Codec<unknown> {
  const standard = schema?.['~standard'];
  if (schema !== undefined && typeof standard?.validate !== 'function') {
    throw invalid('json() takes a Standard Schema: this one has no "~standard".validate');
  }
  return {
    encode: stringified,
    decode(value) {
      const parsed = parse(value);
      if (standard === undefined) return parsed;
      const result = validated(() => standard.validate(parsed));
      return isPromise(result) ? result.then(accepted, refusedByThrow) : accepted(result);
    },
  };
}

/** What a codec threw, as the error that streams carry. The reason of a foreign codec is the cause, not the message. */
export function undecodable(error: unknown, key: string): KvError {
  const named = `key ${JSON.stringify(key)}`;
  if (KvError.is(error)) return new KvError('undecodable', `${named}: ${error.message}`, { key });
  return new KvError('undecodable', `${named}: the codec refused the value (see cause)`, { key, cause: error });
}

/** Whether a codec answered later; a promise of another realm or library is one too. */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

const encoder: TextEncoder = /* @__PURE__ */ new TextEncoder();
const decoder: TextDecoder = /* @__PURE__ */ new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// A message of many issues says where the first few are.
const shown = 5;

function stringified(value: unknown): Uint8Array {
  let written: string | undefined;
  try {
    written = JSON.stringify(value);
  } catch (error) {
    throw invalid('the value cannot be written as JSON (see cause)', { cause: error });
  }
  if (written === undefined) throw invalid(`JSON cannot express ${kindOf(value)}`);
  return encoder.encode(written);
}

function parse(value: Uint8Array): unknown {
  const written = decodeText(value);
  try {
    return JSON.parse(written);
  } catch {
    // The message of a SyntaxError quotes the value: it is not passed on, not even as cause.
    throw new KvError('undecodable', 'the value is not JSON');
  }
}

function validated<T>(validate: () => T): T {
  try {
    return validate();
  } catch (error) {
    return refusedByThrow(error);
  }
}

function refusedByThrow(error: unknown): never {
  // What a transform throws may quote the value as well.
  throw new KvError('undecodable', `the schema threw ${error instanceof Error ? error.name : kindOf(error)}`);
}

function accepted(result: StandardSchemaV1.Result<unknown>): unknown {
  if (result.issues === undefined) return result.value;
  const { length } = result.issues;
  const places = result.issues.slice(0, shown).map(issue => placeOf(issue));
  const more = length > shown ? `, and ${length - shown} more` : '';
  throw new KvError('undecodable', `the schema found ${length === 1 ? '1 issue' : `${length} issues`}: at ${places.join(', ')}${more}`);
}

/** The issue's path; never its message, in which some libraries quote the value. */
function placeOf(issue: StandardSchemaV1.Issue): string {
  if (issue.path === undefined || issue.path.length === 0) return 'the top';
  return issue.path.map(step => String(typeof step === 'object' ? step.key : step)).join('.');
}
