import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { KvError } from '../src/errors.js';
import { byteLength, decodeSegment, encodeSegment, isKey, normaliseDirectory, normaliseKey, prefixEnd } from '../src/key.js';
import { backends } from './backends.js';
import { control, key, near, spelled } from './laws/keys.js';
import { keysOn } from './laws/keys-on.js';

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

describe.each(backends)('keys on $name', backend => {
  keysOn(backend);
});
