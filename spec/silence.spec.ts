import { NEVER, Subject } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { KvError } from '../src/errors.js';
import { heardWithin } from '../src/silence.js';

afterEach(() => void vi.useRealTimers());

const silent = new KvError('unavailable', 'nothing heard for 10 ms');

function marbles(source: string, expected: string, subscribed: string): void {
  const scheduler = new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted));
  scheduler.run(({ cold, expectObservable, expectSubscriptions }) => {
    const source$ = cold(source);
    expectObservable(source$.pipe(heardWithin(10, () => scheduler.now()))).toBe(expected, undefined, silent);
    expectSubscriptions(source$.subscriptions).toBe(subscribed);
  });
}

describe('guarantee 3: silence', () => {
  test('from the start is an error', () => marbles('-', '10ms #', '^ 9ms !'));
  test('after a message is counted from it', () => marbles('5ms a', '5ms a 9ms #', '^ 14ms !'));
  test('is broken by each message in time', () => marbles('9ms a 8ms b', '9ms a 8ms b 9ms #', '^ 27ms !'));
  test('is broken by a message that was there to be read when the timer was due', () => {
    vi.useFakeTimers();
    const source = new Subject<void>();
    const errors: unknown[] = [];
    source.pipe(heardWithin(10)).subscribe({ error: error => errors.push(error) });
    vi.advanceTimersToNextTimer();
    source.next();
    vi.advanceTimersByTime(9);
    expect(errors).toEqual([]);
    vi.advanceTimersByTime(10);
    expect(errors).toEqual([silent]);
    expect(vi.getTimerCount()).toBe(0);
  });
  test('leaves errors as they are, and no timer behind', () => {
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(({ cold, expectObservable }) => {
      expectObservable(cold('5ms #', undefined, 'cut').pipe(heardWithin(10))).toBe('5ms #', undefined, 'cut');
    });
    vi.useFakeTimers();
    NEVER.pipe(heardWithin(10)).subscribe().unsubscribe();
    expect(vi.getTimerCount()).toBe(0);
  });
});
