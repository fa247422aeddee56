/**
 * A call: a request, and how often it is made.
 *
 * A read is asked again until its deadline. A write is sent again only when no server can have acted on it.
 */
import { delay } from '../../delay.js';
import { KvError, type KvErrorDetail } from '../../errors.js';
import type { Failure } from '../../failure.js';
import type { Connection } from './connection.js';
import { failureOf, isOfConnection, translated } from './errors.js';

export interface Call<T> {
  /** @param deadline  by performance.now() */
  readonly send: (connection: Connection, deadline: number) => Promise<T>;
  /** Whether sending it twice is the same as sending it once. */
  readonly repeatable: boolean;
  /** ms */
  readonly timeout: number;
}

/** Where calls go: any session, or one that nodes are to belong to. */
export interface Route {
  /** @throws KvError; `outcome: 'unknown'` where it is not repeatable and may have been carried out */
  call<T>(call: Call<T>): Promise<T>;
}

/** What a route is made of. */
export interface Way {
  /** The connection in use, or the next one. @throws KvError where there is none to come */
  readonly connection: () => Connection | Promise<Connection>;
  /** What a failure means once the way has come to its end; undefined until then. */
  readonly end: (failure: Failure, detail: KvErrorDetail) => KvError | undefined;
}

/** ms before a request is made again. */
export const pause = 5;
/** ms: whoever waits for a call is told first that it was in vain, in the words for it. */
const afterwards = 50;

/** As {@link Route.call}. */
export async function answered<T>({ send, repeatable, timeout }: Call<T>, { connection: next, end }: Way): Promise<T> {
  const deadline = performance.now() + timeout + afterwards;
  for (;;) {
    const coming = next();
    const connection = coming instanceof Promise ? await coming : coming;
    try {
      return await send(connection, deadline);
    } catch (error) {
      if (KvError.is(error)) throw error;
      const failure = failureOf(error);
      const unknown = failure.fate === 'unknown' && !repeatable;
      const detail = unknown ? ({ outcome: 'unknown' } as const) : {};
      const ended = end(failure, detail);
      if (ended !== undefined) throw ended;
      if (!isOfConnection(failure) || unknown || performance.now() >= deadline) throw translated(error, detail);
      // What fails at once must not be asked again in the same turn, or nothing would ever change.
      await delay(pause);
    }
  }
}
