/** The lock recipe: a place in a queue, bound to a session, seen as a stream. */
import { Observable, Subscription, switchMap } from 'rxjs';
import type { Scope } from '../at.js';
import { checkDuration, closedError } from '../calls.js';
import type { Core } from '../core.js';
import { after$, timeable } from '../delay.js';
import type { Grant } from '../driver.js';
import { asKvError, KvError } from '../errors.js';
import type { Lock, LockOptions } from '../interface.js';
import { checkKnown } from '../known.js';
import { grantedTtl } from '../ttl.js';
import { bytesOf, keptOf } from '../value.js';
import { lockPath$, recordOf } from './path.js';

const defaultTtl = 15_000;

/** Options of a lock as they were checked at the door. */
interface Asked {
  /** The lock's key as the store knows it. */
  readonly name: string;
  readonly ttl: number;
  readonly value: Uint8Array<ArrayBuffer>;
  readonly wait: number;
  /** ms for the round trip that opens the session */
  readonly timeout: number;
}

/** As {@link Store.lock$}. */
export function lock$(core: Core, scope: Scope, key: string, options: LockOptions & { timeout?: number } = {}): Observable<Lock> {
  const kept = options?.value === undefined ? options : { ...options, value: keptOf(options.value) };
  return new Observable<Lock>(subscriber => {
    let asked: Asked;
    try {
      if (core.closed) throw closedError(core.driver.name, 'lock$');
      asked = ask(core, scope, key, kept);
    } catch (error) {
      subscriber.error(asKvError(error, { backend: core.driver.name }));
      return undefined;
    }
    return contend(core, asked, key, {
      held: lock => subscriber.next(lock),
      lost: error => subscriber.error(error),
      closed: () => subscriber.complete(),
    });
  });
}

interface Contest {
  held(lock: Lock): void;
  lost(error: KvError): void;
  closed(): void;
}

function contend(core: Core, asked: Asked, key: string, contest: Contest): Subscription {
  const { driver } = core;
  const contention = new Subscription();
  let holding: Holding | undefined;

  // A holder's own code must stop before anybody is told, and before the release lets a rival in.
  const end = (tell: () => void): void => {
    holding?.end();
    tell();
    contention.unsubscribe();
  };
  const lose = (error: unknown): void => {
    end(() => contest.lost(lossOf(asKvError(error, { backend: driver.name }), holding !== undefined, key)));
  };
  const busy = (): void => {
    if (holding === undefined)
      lose(new KvError('conflict', `the lock "${key}" was not to be had within ${asked.wait} ms`, { backend: driver.name, key }));
  };

  contention.add(() => holding?.end());
  contention.add(core.closed$.subscribe(() => end(() => contest.closed())));
  if (contention.closed) return contention;
  const once = asked.wait === 0;
  if (!once && asked.wait !== Infinity) contention.add(after$(asked.wait).subscribe(busy));
  // For a driver that does not tell who is behind. To enter the queue and to look at it is a round trip each, and one that
  // nobody answers is told as what it is before this.
  const tried = (): void => contention.add(after$(2 * asked.timeout).subscribe(busy));
  contention.add(
    core
      .known$(() => grants$(core, asked, once ? { tried, behind: busy } : undefined))
      .subscribe({
        next: grant => {
          holding = new Holding(key, grant);
          core.grants.set(holding, grant);
          contest.held(holding);
        },
        error: lose,
        complete: () => lose(new KvError('unavailable', 'the session ended without an error')),
      }),
  );
  return contention;
}

/** One try at a lock. */
interface Try {
  /** Told when there is a session for it. */
  readonly tried: () => void;
  readonly behind: () => void;
}

function grants$(core: Core, { name, ttl, value, timeout }: Asked, once: Try | undefined): Observable<Grant> {
  const { driver, queue } = core;
  return lockPath$(name).pipe(
    switchMap(path =>
      core.session$(ttl, timeout).pipe(
        switchMap(session => {
          const [record, behind] = [recordOf(path, value), once?.behind];
          once?.tried();
          return driver.acquire$?.(session, path.directory, record, behind) ?? queue.acquire$(session, path.directory, record, behind);
        }),
      ),
    ),
  );
}

/** What users see of a grant. */
class Holding implements Lock {
  readonly key: string;
  readonly fence: bigint;
  private readonly grant: Grant;
  private readonly controller: AbortController = new AbortController();

  constructor(key: string, grant: Grant) {
    this.key = key;
    this.fence = grant.fence;
    this.grant = grant;
  }

  get held(): boolean {
    if (this.controller.signal.aborted) return false;
    if (this.grant.session.remaining() > 0) return true;
    this.end();
    return false;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  end(): void {
    if (!this.controller.signal.aborted)
      this.controller.abort(new KvError('lock-lost', `the lock "${this.key}" is no longer held`, { key: this.key }));
  }
}

function lossOf(error: KvError, held: boolean, key: string): KvError {
  const code = held ? 'lock-lost' : 'session-lost';
  if ((error.code !== 'session-lost' && error.code !== 'lock-lost') || (error.code === code && error.key === key)) return error;
  return new KvError(
    code,
    held ? `the lock "${key}" is lost: ${error.message}` : `the place in the queue of the lock "${key}" is lost: ${error.message}`,
    { backend: error.backend, key, cause: error },
  );
}

function ask(core: Core, scope: Scope, key: string, options: LockOptions & { timeout?: number }): Asked {
  checkKnown(options, ['ttl', 'value', 'wait', 'timeout'], 'a lock');
  // A backend whose sessions are shorter than the default still has locks without a ttl being named.
  const { ttl = Math.min(defaultTtl, core.capabilities.maxTtl), value = '', wait = Infinity, timeout = core.timeout } = options;
  if (typeof wait !== 'number' || !(wait >= 0)) throw new KvError('invalid', 'wait is a number of ms, 0 for one try', { key });
  checkDuration(timeout, 'timeout');
  return {
    name: scope.key(key),
    ttl: grantedTtl(ttl, core.capabilities, core.driver.name),
    value: bytesOf(value, core.capabilities.maxValue, key),
    wait,
    timeout: timeable(timeout),
  };
}
