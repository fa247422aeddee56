import { describe, expect, test } from 'vitest';
import { portions } from '../src/portions.js';

const split = (list: readonly number[], room: { bytes: number; items?: number }): (readonly number[])[] => [
  ...portions(list, size => size, room),
];

describe('portions', () => {
  test('are all items in their order, none of them twice', () => {
    const list = [3, 1, 4, 1, 5, 9, 2, 6];
    expect(split(list, { bytes: 10 }).flat()).toEqual(list);
  });

  test('hold as many bytes as there is room, to the last one', () => {
    expect(split([4, 6, 1, 9, 5], { bytes: 10 })).toEqual([[4, 6], [1, 9], [5]]);
  });

  test('hold as many items as there is room', () => {
    expect(split([1, 1, 1, 1, 1], { bytes: 10, items: 2 })).toEqual([[1, 1], [1, 1], [1]]);
  });

  test('count an item for as many as it is', () => {
    const count = (size: number): number => size;
    expect([...portions([2, 1, 2, 1, 1], () => 1, { bytes: 10, items: 3, count })]).toEqual([[2, 1], [2, 1], [1]]);
    expect([...portions([2, 2], () => 1, { bytes: 10, items: 3, count })]).toEqual([[2], [2]]);
  });

  test('of an item that is too large are that one alone', () => {
    expect(split([1, 99, 1], { bytes: 10 })).toEqual([[1], [99], [1]]);
  });

  test('of nothing are none', () => {
    expect(split([], { bytes: 10 })).toEqual([]);
  });
});
