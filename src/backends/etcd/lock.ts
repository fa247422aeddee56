/**
 * A lock: a queue by create revision, as that of etcd's own clients. A contender holds once no record in it is older.
 *
 * Each waits for the one before it and looks at no other, so that a release wakes one waiter however many there are.
 */
import {
  concat,
  defer,
  EMPTY,
  filter,
  from,
  ignoreElements,
  map,
  merge,
  mergeMap,
  Observable,
  of,
  repeat,
  retry,
  switchMap,
  take,
  throwError,
} from 'rxjs';
import { Contenders, recordGone, untilSessionEnds } from '../../contender.js';
import type { Grant, Session } from '../../driver.js';
import type { Cluster } from './cluster.js';
import type { Committer } from './commit.js';
import type { Keyspace } from './keyspace.js';
import type { WatchMessage } from './watch.js';
import type { Watches } from './watches.js';
import type { RangeRequest } from './wire.js';

export interface LocksOptions {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly committer: Committer;
  readonly watches: Watches;
  /** ms for one round trip */
  readonly timeout: number;
  /** Told of releases that go on after an unsubscribe. */
  readonly ending: (work: Promise<void>) => void;
}

/** Where a contender stood at a revision. */
interface Place {
  readonly revision: bigint;
  /** Whether its own record was there. */
  readonly present: boolean;
  /** The record that is next before it; undefined: it holds. */
  readonly before: Buffer | undefined;
}

export class Locks {
  private readonly options: LocksOptions;
  private readonly contenders: Contenders;

  constructor(options: LocksOptions) {
    const { committer, timeout } = options;
    this.options = options;
    this.contenders = new Contenders({
      commit: (transaction, call) => committer.commit({ ...transaction, timeout: call.timeout, abandoned: false }),
      timeout,
    });
  }

  /** As {@link Driver.acquire$}. */
  acquire$(session: Session, directory: string, value: Uint8Array<ArrayBuffer>, behind?: () => void): Observable<Grant> {
    return new Observable(subscriber => {
      const key = this.contenders.key(directory, session);
      const entered = this.contenders.enter(key, value, session);
      subscriber.add(() => this.options.ending(this.contenders.withdraw(entered, key)));
      const grant$ = from(entered).pipe(
        switchMap(({ created }) => this.turn$(key, created, directory, behind)),
        map(fence => ({ key, fence, session })),
      );
      subscriber.add(grant$.subscribe(subscriber));
    });
  }

  /** Emits the fence once the contender holds; errors when its record is gone, before or after. */
  private turn$(key: string, created: bigint, directory: string, behind: (() => void) | undefined): Observable<bigint> {
    return defer(() => {
      let held = false;
      return this.places$(this.options.keyspace.key(key), created, directory).pipe(
        mergeMap(({ present, before }) => {
          if (!present) return throwError(() => recordGone(held));
          if (before !== undefined) behind?.();
          if (before !== undefined || held) return EMPTY;
          held = true;
          return of(created);
        }),
      );
    });
  }

  /** Where the contender stands, and again whenever that may have changed. Cuts are mended. */
  private places$(own: Buffer, created: bigint, directory: string): Observable<Place> {
    return defer(() => this.look(own, created, directory)).pipe(
      switchMap(place => {
        const watched = place.before === undefined ? [own] : [own, place.before];
        const changed$ = merge(...watched.map(key => this.gone$(key, place.revision))).pipe(take(1), ignoreElements());
        return concat(of(place), changed$);
      }),
      retry({ delay: untilSessionEnds, resetOnSuccess: true }),
      repeat(),
    );
  }

  /** Emits when a key may be gone: it was deleted after that revision, or what came after it can no longer be had. */
  private gone$(key: Buffer, revision: bigint): Observable<WatchMessage> {
    return this.options.watches.watch$({ key }, revision + 1n).pipe(filter(mayBeGone));
  }

  /** All of it at one revision: a contender whose own record is gone must not take its turn. */
  private async look(own: Buffer, created: bigint, directory: string): Promise<Place> {
    const { cluster, keyspace, timeout } = this.options;
    for (let older = created - 1n; ; ) {
      const before: RangeRequest = {
        ...keyspace.range({ prefix: `${directory}/` }),
        max_create_revision: String(older),
        sort_target: 'Create',
        sort_order: 'Descend',
        limit: 1,
        keys_only: true,
      };
      const itself: RangeRequest = { key: own, keys_only: true };
      const { header, responses } = await cluster.call({
        send: (client, sending) =>
          client.transact({ compare: [], success: [{ request_range: itself }, { request_range: before }], failure: [] }, sending),
        repeatable: true,
        timeout,
      });
      const [mine, next] = responses.map(({ response_range: answer }) => answer?.kvs[0]);
      const present = mine !== undefined && BigInt(mine.create_revision) === created;
      // A record without a lease would hold for ever: none of a contender.
      if (next === undefined || next.lease !== '0') return { revision: BigInt(header.revision), present, before: next?.key };
      older = BigInt(next.create_revision) - 1n;
    }
  }
}

function mayBeGone(message: WatchMessage): boolean {
  if (message.type === 'events') return message.events.some(({ type }) => type === 'Delete');
  // A server that is behind what was seen has lost data, or lags: looking again finds out.
  return message.type === 'lost' || (message.type === 'ready' && message.revision + 1n < message.next);
}
