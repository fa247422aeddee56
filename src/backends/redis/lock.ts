/**
 * Locks: a queue for each, in which the first contender that is alive holds.
 *
 * A contender wakes when the one right before it goes, so that a release wakes one and no more; by the server's notice,
 * or by a timer where that one's record ends unheard. It also looks when its own record was touched.
 */
import { distinctUntilChanged, filter, from, identity, Observable, switchMap } from 'rxjs';
import type { Grant, Holder, Session } from '../../driver.js';
import { sameBytes } from '../../entry.js';
import { KvError } from '../../errors.js';
import { heardWithin } from '../../silence.js';
import type { Argument, Client, Reply } from './client.js';
import { backend, errorOf, failureOf, translated } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { enter, head, place, withdraw } from './lock-scripts.js';
import type { Servers } from './servers.js';
import type { Sessions } from './session.js';
import type { Notice, Watches } from './watches.js';

export interface LocksOptions {
  readonly servers: Servers;
  readonly keyspace: Keyspace;
  readonly sessions: Sessions;
  readonly watches: Watches;
  /** ms for one round trip */
  readonly timeout: number;
  /** ms that a watch may say nothing */
  readonly silence: number;
  readonly waitReplicas: number;
  /** Told of what a teardown started. */
  readonly ending: (work: Promise<void>) => void;
}

/** ms that an empty queue remembers its last fence: by then the server's clock is ahead of it, whatever fails over. */
const memory = 86_400_000;
/** ms */
const pauseAfterFailure = 100;

/** A contender in its queue. */
interface Contender {
  readonly session: Session;
  readonly directory: string;
  readonly member: string;
  /** Of its record, relative to the root. */
  readonly key: string;
}

export class Locks {
  private readonly options: LocksOptions;
  private contenders = 0;

  constructor(options: LocksOptions) {
    this.options = options;
  }

  /** As {@link Driver.acquire$}. */
  acquire$(session: Session, directory: string, value: Uint8Array<ArrayBuffer>, behind?: () => void): Observable<Grant> {
    return new Observable<Grant>(subscriber => {
      // Unique for each subscription, or a second lock$ of one session would hold together with the first.
      const member = `${session.id}-${++this.contenders}`;
      const contender: Contender = { session, directory, member, key: `${directory}/${member}` };
      const entered = this.enter(contender, value);
      subscriber.add(() => this.options.ending(this.withdraw(contender, entered)));
      subscriber.add(
        from(entered)
          .pipe(switchMap(fence => this.standing$(contender, fence, behind)))
          .subscribe(subscriber),
      );
    });
  }

  /** As {@link Driver.holder$}. */
  holder$(directory: string): Observable<Holder | undefined> {
    const { keyspace, servers, timeout: patience } = this.options;
    const queue = keyspace.queue(directory);
    const prefix = keyspace.name(`${directory}/`);
    const { silence } = this.options;
    return this.looking$<Holder | undefined>(queue, silence, async watch => {
      const send = (client: Client): Promise<Reply> => client.run(head, [queue, prefix], []);
      const reply = await servers.call(queue, { send, repeatable: true, whole: true, timeout: patience });
      watch(queue);
      if (reply === null) return { say: undefined };
      const [member, value, fence, left] = reply as readonly [Buffer, Buffer, Buffer, number];
      watch(prefix + String(member));
      return { say: { value: new Uint8Array(value), fence: BigInt(String(fence)) }, again: left };
    }).pipe(distinctUntilChanged((a, b) => a === b || (a?.fence === b?.fence && sameBytes(a?.value ?? nothing, b?.value ?? nothing))));
  }

  /** Emits the grant when the contender is the first; errors when its record is gone. */
  private standing$({ session, directory, member, key }: Contender, fence: bigint, behind: (() => void) | undefined): Observable<Grant> {
    const { keyspace, servers, timeout: patience } = this.options;
    const queue = keyspace.queue(directory);
    const prefix = keyspace.name(`${directory}/`);
    const grant: Grant = { key, fence, session };
    let held = false;
    return this.looking$<Grant>(queue, Infinity, async watch => {
      const args: Argument[] = [member, Math.max(memory, session.ttl * 2)];
      const send = (client: Client): Promise<Reply> => client.run(place, [queue, prefix], args);
      const reply = await servers.call(queue, { send, repeatable: true, whole: true, timeout: patience });
      const [left, before] = reply as readonly [number, Buffer | undefined];
      if (left < 0) throw gone(held);
      watch(prefix + member);
      if (before !== undefined) {
        watch(prefix + String(before));
        behind?.();
        return { again: left };
      }
      held = true;
      return { say: grant };
    }).pipe(distinctUntilChanged());
  }

  /**
   * Looks at once and whenever something that was looked at is written; again after so many ms where it says so.
   *
   * @param silence  ms after which hearing nothing is an error; for those whose session does not tell them
   */
  private looking$<T>(
    queue: string,
    silence: number,
    look: (watch: (name: string) => void) => Promise<{ readonly say?: T; readonly again?: number }>,
  ): Observable<T> {
    return new Observable<T>(subscriber => {
      const { watches } = this.options;
      let names = new Set<string>([queue]);
      let working = false;
      let wanted = false;
      let failing = false;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const later = (ms: number): void => {
        clearTimeout(timer);
        timer = setTimeout(wake, Math.min(2 ** 31 - 1, ms + 1));
      };
      const wake = (): void => {
        wanted = true;
        if (!working) void work();
      };
      const work = async (): Promise<void> => {
        working = true;
        while (wanted && !subscriber.closed) {
          wanted = false;
          clearTimeout(timer);
          // Names are watched from before the look on: what is written meanwhile is looked at again.
          const watched = new Set<string>();
          try {
            const found = await look(name => {
              watched.add(name);
              names.add(name);
            });
            if (subscriber.closed) return;
            names = watched;
            failing = false;
            if ('say' in found) subscriber.next(found.say as T);
            if (found.again !== undefined) later(found.again);
          } catch (error) {
            const known = translated(error);
            if (!known.transient || known.code === 'session-lost' || known.code === 'lock-lost') {
              subscriber.error(known);
              return;
            }
            failing = true;
            later(pauseAfterFailure);
          }
        }
        working = false;
      };
      subscriber.add(() => clearTimeout(timer));
      subscriber.add(
        watches
          .watch$()
          .pipe(
            // No signs of life: a loss, and what is heard while nothing can be read.
            filter(({ type }) => type !== 'lost' && !(failing && type === 'alive')),
            silence === Infinity ? identity : heardWithin(silence),
          )
          .subscribe({
            next: notice => {
              if (concerns(notice, names)) wake();
            },
            error: (error: unknown) => subscriber.error(error),
          }),
      );
    });
  }

  private async enter({ session, directory, member, key }: Contender, value: Uint8Array<ArrayBuffer>): Promise<bigint> {
    const { servers, keyspace, sessions, timeout: patience, waitReplicas } = this.options;
    sessions.bind(session, key, value);
    if (!keyspace.oneSlot) await sessions.check(session, patience);
    const queue = keyspace.queue(directory);
    const keys = [queue, ...keyspace.pair(key), ...(keyspace.oneSlot ? [keyspace.session(session.id)] : [])];
    const args: Argument[] = [member, Buffer.from(value), session.id, session.ttl, Math.max(memory, session.ttl * 2)];
    const send = (client: Client): Promise<Reply> => client.run(enter, keys, args);
    const fence =
      waitReplicas === 0 ? await servers.call(queue, { send, repeatable: false, timeout: patience }) : await this.replicated(queue, send);
    if (fence === null) throw new KvError('session-lost', 'the session has ended', { backend });
    return BigInt(String(fence));
  }

  /** On a connection of its own: WAIT concerns what was written on one, and holds up all that comes after. */
  private async replicated(queue: string, send: (client: Client) => Promise<Reply>): Promise<Reply> {
    const { servers, timeout: patience, waitReplicas } = this.options;
    const server = await servers.of(queue, patience);
    let client: Client | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const own = (client = await server.another());
      timer = setTimeout(() => own.close(), patience * 2);
      const reply = await send(own);
      const count = await own.call('WAIT', waitReplicas, patience);
      if ((count as number) >= waitReplicas) return reply;
      throw new KvError('unavailable', `${String(count)} of ${waitReplicas} replicas have the record of the lock`, { backend });
    } catch (error) {
      throw KvError.is(error) ? error : errorOf(failureOf(error));
    } finally {
      clearTimeout(timer);
      client?.close();
    }
  }

  /** Leaves the queue however entering went: what was not answered may have been carried out. */
  private async withdraw({ session, directory, member, key }: Contender, entered: Promise<bigint>): Promise<void> {
    const { servers, keyspace, sessions, timeout: patience } = this.options;
    await entered.catch(() => undefined);
    const queue = keyspace.queue(directory);
    const keys = [queue, ...keyspace.pair(key)];
    // The session ends as well and takes the record with it; this is for those who wait behind us.
    await servers.call(queue, { send: client => client.run(withdraw, keys, [member]), repeatable: true, timeout: patience }).then(
      () => sessions.unbind(session, key),
      () => undefined,
    );
  }
}

const nothing = new Uint8Array(0);

function concerns(notice: Notice, names: ReadonlySet<string>): boolean {
  if (notice.type === 'armed' || notice.type === 'flushed') return true;
  return notice.type === 'keys' && notice.names.some(name => names.has(name));
}

function gone(held: boolean): KvError {
  return held
    ? new KvError('lock-lost', 'the record of the lock was removed', { backend })
    : new KvError('session-lost', 'the record in the queue of the lock was removed', { backend });
}
