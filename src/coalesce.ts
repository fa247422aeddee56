/**
 * Coalescing: calls that arrive while one is in flight become one batch.
 *
 * A lone call goes at once; those that come while it is under way wait for it and then go as one. Batches run one after
 * the other in the order of asking, so writes of one key keep their order.
 */

export interface CoalesceOptions<T, R> {
  /**
   * Carries out a batch; one result for each item, in order. An item whose result is an `Error` rejects alone;
   * a rejection concerns the whole batch.
   */
  readonly run: (batch: readonly T[]) => Promise<readonly (R | Error)[]>;
  /** Carries out an item that finds nothing under way, by itself and at once. Without it that is a batch like others. */
  readonly alone?: (item: T) => Promise<R>;
  /** Items in one batch; 4000 */
  readonly most?: number;
  /**
   * What a batch waits for before it goes, so that calls made in one go travel together, and so do those who were just
   * answered and call again: a turn of the microtask queue. Where a batch costs a round trip, one of the event loop
   * gathers more: a caller has several microtasks to go until it calls again.
   */
  readonly turn?: () => Promise<void>;
}

export interface Coalescer<T, R> {
  (item: T): Promise<R>;
  /** Whether something is under way, so that a call would not go at once. */
  busy(): boolean;
  /** Resolves once nothing is waiting or under way. */
  idle(): Promise<void>;
}

/** A class: V8 puts literals that once waited by the thousand among the old objects for good, where a lone call's are garbage. */
class Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;

  constructor(item: T, resolve: (result: R) => void, reject: (error: unknown) => void) {
    this.item = item;
    this.resolve = resolve;
    this.reject = reject;
  }
}

/**
 * A function that collects single calls into batches for `run`.
 *
 * @example
 * const get = coalesce<string, Entry | undefined>({ run: keys => client.getAll(keys) });
 * await Promise.all([get('a'), get('b')]); // one request
 */
export function coalesce<T, R>({ run, alone, most = 4000, turn = microtask }: CoalesceOptions<T, R>): Coalescer<T, R> {
  let waiting: Waiting<T, R>[] | undefined;
  let working = false;
  let idlers: (() => void)[] = [];

  // No async function: under load, what a call allocates is most of what it costs.
  function next(): void {
    if (waiting === undefined) {
      working = false;
      for (const resolve of idlers) resolve();
      idlers = [];
      return;
    }
    const batch = waiting.length > most ? waiting.splice(0, most) : waiting;
    if (batch === waiting) waiting = undefined;
    void started(run, batch)
      .then(
        results => settle(batch, results),
        (error: unknown) => {
          for (const { reject } of batch) reject(error);
        },
      )
      .then(batch.length === 1 ? land : later);
  }

  function later(): void {
    void turn().then(next);
  }

  /** A lone call has landed, and its caller may call again: nobody waits for a turn where nobody waits. */
  function land(): void {
    if (waiting === undefined) next();
    else later();
  }

  function call(item: T): Promise<R> {
    if (alone !== undefined && !working) {
      working = true;
      const answer = alone(item);
      answer.then(land, land);
      return answer;
    }
    return new Promise<R>((resolve, reject) => {
      // An array that is made with an item has no room to spare, and most calls are alone.
      const one = new Waiting<T, R>(item, resolve, reject);
      if (waiting === undefined) waiting = [one];
      else waiting.push(one);
      if (working) return;
      working = true;
      later();
    });
  }

  return Object.assign(call, {
    busy: () => working,
    idle: () => (working ? new Promise<void>(resolve => idlers.push(resolve)) : Promise.resolve()),
  });
}

function microtask(): Promise<void> {
  return Promise.resolve();
}

function started<T, R>(run: CoalesceOptions<T, R>['run'], batch: readonly Waiting<T, R>[]): ReturnType<CoalesceOptions<T, R>['run']> {
  try {
    return run(batch.map(({ item }) => item));
  } catch (error) {
    return Promise.reject(error);
  }
}

function settle<T, R>(batch: readonly Waiting<T, R>[], results: readonly (R | Error)[]): void {
  for (let i = 0; i < batch.length; i++) {
    const { resolve, reject } = batch[i] as Waiting<T, R>;
    const result = results[i] as R | Error;
    if (result instanceof Error) reject(result);
    else resolve(result);
  }
}
