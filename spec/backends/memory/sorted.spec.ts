import { fc, test } from '@fast-check/vitest';
import { expect } from 'vitest';
import { Sorted } from '../../../src/backends/memory/sorted.js';

test.prop([fc.array(fc.tuple(fc.boolean(), fc.nat(2000)), { size: 'max', maxLength: 4000 }), fc.nat(2000)])(
  'it is a sorted array without doubles, whatever was added and deleted',
  (steps, from) => {
    const sorted = new Sorted<number>((a, b) => a - b);
    const model = new Set<number>();
    for (const [adds, item] of steps) {
      if (adds) sorted.add(item);
      else sorted.delete(item);
      if (adds) model.add(item);
      else model.delete(item);
    }
    const expected = [...model].sort((a, b) => a - b);
    expect([...sorted.from(-1)]).toEqual(expected);
    expect([...sorted.from(from)]).toEqual(expected.filter(item => item >= from));
    expect(sorted.first()).toBe(expected[0]);
  },
);

test('it splits and joins as it grows and shrinks', () => {
  const numbers = new Sorted<number>((a, b) => a - b);
  const all = Array.from({ length: 5000 }, (_, i) => (i * 7919) % 5000);
  for (const item of all) numbers.add(item);
  expect([...numbers.from(0)]).toEqual(Array.from({ length: 5000 }, (_, i) => i));
  expect([...numbers.from(2499.5)].slice(0, 2)).toEqual([2500, 2501]);
  for (const item of all) if (item % 1000 !== 0) numbers.delete(item);
  expect([...numbers.from(1)]).toEqual([1000, 2000, 3000, 4000]);
  for (const item of all) numbers.delete(item);
  expect([numbers.first(), ...numbers.from(0)]).toEqual([undefined]);
});
