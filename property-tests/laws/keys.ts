/** Keys to hold laws against: every hazard that some server or client of ours gives a meaning to. */
import { fc } from '@fast-check/vitest';
import { byteLength } from '../../src/key.js';

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
export const control: RegExp = /[\u0000-\u001f\u007f-\u009f]/; // oxlint-disable-line no-control-regex

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
export const key: fc.Arbitrary<string> = fc.oneof({ weight: 4, arbitrary: short }, long);
/** A key, and a way to write it. */
export const spelled: fc.Arbitrary<{ plain: string; written: string }> = fc
  .tuple(key, fc.constantFrom('', '/'), fc.constantFrom('', '/', '//'))
  .map(([plain, before, after]) => ({
    plain,
    written: before + plain + after,
  }));

/** Keys and directories that are often one another's directory, sibling or beginning. */
export const near: fc.Arbitrary<string> = fc
  .array(fc.string({ unit: fc.constantFrom('a', 'b', '-', '0', '～'), minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 3 })
  .map(segments => segments.join('/'));
