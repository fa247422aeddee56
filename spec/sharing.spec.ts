import { NEVER, Observable, ReplaySubject, Subject } from 'rxjs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Sharing } from '../src/sharing.js';

afterEach(() => void vi.useRealTimers());

function counted<T>(source$: Observable<T>): { made: () => number; live: () => number; make: () => Observable<T> } {
  let made = 0;
  let live = 0;
  return {
    made: () => made,
    live: () => live,
    make: () => {
      made++;
      return new Observable<T>(subscriber => {
        live++;
        const subscription = source$.subscribe(subscriber);
        return () => {
          live--;
          subscription.unsubscribe();
        };
      });
    },
  };
}

describe('sharing', () => {
  test('guarantee 9: one source however many subscribers, gone with the last', () => {
    const { made, live, make } = counted(NEVER);
    const sharing = new Sharing(NEVER);
    const subscriptions = [1, 2, 3].map(() => sharing.of('a', make).subscribe());
    expect([made(), live()]).toEqual([1, 1]);
    for (const subscription of subscriptions) subscription.unsubscribe();
    expect(live()).toBe(0);
    sharing.of('a', make).subscribe().unsubscribe();
    expect(made()).toBe(2);
  });

  test('a late subscriber gets the last value at once', () => {
    const source = new Subject<number>();
    const sharing = new Sharing(NEVER);
    sharing.of('a', () => source).subscribe();
    source.next(1);
    source.next(2);
    const seen: number[] = [];
    sharing.of('a', () => source).subscribe(value => seen.push(value));
    expect(seen).toEqual([2]);
  });

  test('lingers, and is reused while it does', async () => {
    vi.useFakeTimers();
    const { made, live, make } = counted(NEVER);
    const sharing = new Sharing(NEVER);
    sharing.of('a', make, 1000).subscribe().unsubscribe();
    await vi.advanceTimersByTimeAsync(900);
    expect(live()).toBe(1);
    sharing.of('a', make, 1000).subscribe().unsubscribe();
    await vi.advanceTimersByTimeAsync(900);
    expect([made(), live()]).toEqual([1, 1]);
    await vi.advanceTimersByTimeAsync(101);
    expect(live()).toBe(0);
  });

  test('lingers for ever where it is told so', async () => {
    vi.useFakeTimers();
    const { live, make } = counted(NEVER);
    const closed = new ReplaySubject<void>(1);
    new Sharing(closed).of('a', make, Infinity).subscribe().unsubscribe();
    await vi.advanceTimersByTimeAsync(60 * 86_400_000);
    expect(live()).toBe(1);
    closed.next();
    expect([live(), vi.getTimerCount()]).toEqual([0, 0]);
  });

  test('ends at close, even while it lingers, and leaves no timer', () => {
    vi.useFakeTimers();
    const closed = new ReplaySubject<void>(1);
    const { live, make } = counted(NEVER);
    const sharing = new Sharing(closed);
    let completed = false;
    sharing.of('a', make, 1000).subscribe().unsubscribe();
    sharing.of('b', make).subscribe({ complete: () => (completed = true) });
    closed.next();
    expect([live(), completed, vi.getTimerCount()]).toEqual([0, true, 0]);
  });

  test('after an error the same source is subscribed again, once for all who retry', () => {
    const sources: Subject<number>[] = [];
    const make = vi.fn(
      () =>
        new Observable<number>(subscriber => {
          const source = new Subject<number>();
          sources.push(source);
          return source.subscribe(subscriber);
        }),
    );
    const sharing = new Sharing(NEVER);
    const errors: unknown[] = [];
    const subscribe = (): void => void sharing.of('a', make).subscribe({ error: error => errors.push(error) });
    subscribe();
    subscribe();
    sources[0]?.error('cut');
    expect(errors).toEqual(['cut', 'cut']);
    subscribe();
    subscribe();
    expect(sources).toHaveLength(2);
    expect(make).toHaveBeenCalledTimes(1);
  });
});
