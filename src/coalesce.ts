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

interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A function that collects single calls into batches for `run`.
 *
 * @example
 * const get = coalesce<string, Entry | undefined>({ run: keys => client.getAll(keys) });
 * await Promise.all([get('a'), get('b')]); // one request
 */
export function coalesce<T, R>({ run, alone, most = 4000, turn = microtask }: CoalesceOptions<T, R>): Coalescer<T, R> {
  let waiting: Waiting<T, R>[] = [];
  let working: Promise<void> | undefined;

  async function work(): Promise<void> {
    await turn();
    while (waiting.length > 0) {
      const batch = waiting.length > most ? waiting.splice(0, most) : waiting;
      if (batch === waiting) waiting = [];
      await settle(batch);
      await turn();
    }
    working = undefined;
  }

  async function settle(batch: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const results = await run(batch.map(({ item }) => item));
      batch.forEach(({ resolve, reject }, i) => {
        const result = results[i] as R | Error;
        if (result instanceof Error) reject(result);
        else resolve(result);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  function land(): Promise<void> | undefined {
    working = waiting.length === 0 ? undefined : work();
    return working;
  }

  function call(item: T): Promise<R> {
    if (alone !== undefined && working === undefined) {
      const answer = alone(item);
      working = answer.then(land, land);
      return answer;
    }
    return new Promise<R>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      working ??= work();
    });
  }

  return Object.assign(call, { busy: () => working !== undefined, idle: () => working ?? Promise.resolve() });
}

function microtask(): Promise<void> {
  return Promise.resolve();
}
