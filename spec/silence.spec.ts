import { TestScheduler } from 'rxjs/testing';
import { describe, expect, test } from 'vitest';
import { KvError } from '../src/errors.js';
import { heardWithin } from '../src/silence.js';

const silent = new KvError('unavailable', 'nothing heard for 10 ms');

function marbles(source: string, expected: string, subscribed: string): void {
  new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(({ cold, expectObservable, expectSubscriptions }) => {
    const source$ = cold(source);
    expectObservable(source$.pipe(heardWithin(10))).toBe(expected, undefined, silent);
    expectSubscriptions(source$.subscriptions).toBe(subscribed);
  });
}

describe('guarantee 3: silence', () => {
  test('from the start is an error', () => marbles('-', '10ms #', '^ 9ms !'));
  test('after a message is counted from it', () => marbles('5ms a', '5ms a 9ms #', '^ 14ms !'));
  test('is broken by each message in time', () => marbles('9ms a 8ms b', '9ms a 8ms b 9ms #', '^ 27ms !'));
  test('leaves errors as they are', () => {
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(({ cold, expectObservable }) => {
      expectObservable(cold('5ms #', undefined, 'cut').pipe(heardWithin(10))).toBe('5ms #', undefined, 'cut');
    });
  });
});
