/** Positions: the rules of blocking queries, one by one. */
import { describe, expect, test } from 'vitest';
import { Position } from '../../../src/backends/consul/position.js';

const wait = 1000;

function at(index: bigint): Position {
  const position = new Position();
  position.at(index);
  return position;
}

describe('a position', () => {
  test('moves on with an index that is higher, whenever it comes', () => {
    const position = at(5n);
    expect(position.judge(6n, 3, wait)).toBe('news');
    expect(position.judge(9n, 1050, wait)).toBe('news');
    expect([position.index, position.trusted]).toEqual([9n, true]);
  });

  test('stays where the wait was over with nothing new', () => {
    const position = at(5n);
    expect(position.judge(5n, 1030, wait)).toBe('rest');
    expect([position.index, position.trusted, position.early]).toEqual([5n, true, 0]);
  });

  test.each([
    ['an index that went back', 4n, 3],
    ['an index that went back at the end of the wait', 4n, 1030],
    ['an index of 0', 0n, 3],
    ['the same index before the wait was over', 5n, 3],
  ])('%s is a gap: the next question is without an index, and bytes are compared', (_, index, took) => {
    const position = at(5n);
    expect(position.judge(index, took, wait)).toBe('gap');
    expect([position.index, position.trusted]).toEqual([0n, false]);
  });

  test('counts answers that come early one after the other', () => {
    const position = at(5n);
    for (let i = 1; i <= 3; i++) {
      position.judge(5n, 3, wait);
      expect(position.early).toBe(i);
      position.at(5n);
    }
    position.judge(6n, 3, wait);
    expect(position.early).toBe(0);
  });
});
