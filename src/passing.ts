/**
 * Passing on: what stands between a source and a subscriber, and changes the values or the end.
 *
 * On the way of a feed this takes the place of operators and of functions for each subscription: a store may have
 * thousands of feeds, and these are a third of the memory.
 */
import type { Observer, Subscriber } from 'rxjs';

export abstract class Passing<T, R = T> implements Observer<T> {
  protected readonly subscriber: Subscriber<R>;

  constructor(subscriber: Subscriber<R>) {
    this.subscriber = subscriber;
  }

  abstract next(value: T): void;

  error(error: unknown): void {
    this.subscriber.error(error);
  }

  complete(): void {
    this.subscriber.complete();
  }
}
