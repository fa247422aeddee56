import { TestScheduler } from 'rxjs/testing';
import { expect, test } from 'vitest';
import { after$ } from '../src/delay.js';

test('a delay over 24.8 days comes when it is due, not at once', () => {
  const days = 24 * 60 * 60 * 1000;
  const emitted: number[] = [];
  const scheduler = new TestScheduler(() => expect.unreachable('nothing is flushed by marbles'));
  scheduler.run(() => {
    for (const ms of [10, 30 * days]) after$(ms).subscribe(() => emitted.push(scheduler.now()));
  });
  expect(emitted).toEqual([10, 30 * days]);
});
