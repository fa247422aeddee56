/**
 * The portable lock queue, for any driver that can bind a key to a session.
 *
 * Every contender puts a record of its own, bound to its session, below the lock's directory. The lowest
 * `created` among them holds; its `created` is the fence. When its record goes (released, ended with its
 * session, deleted by hand) the next in line holds.
 */
import { defer, distinctUntilChanged, from, map, Observable, retry, switchMap, throwError } from 'rxjs';
import { Contenders, recordGone, untilSessionEnds } from './contender.js';
import type { Driver, Feed, Grant, Holder, Range, Session } from './driver.js';
import { type Entry, sameBytes } from './entry.js';
import { reflect$ } from './reflect.js';
import type { Sharing } from './sharing.js';
import type { Snapshot } from './snapshot.js';

export interface Queue {
  /** As {@link Driver.acquire$}. */
  acquire$(session: Session, directory: string, value: Uint8Array<ArrayBuffer>, behind?: () => void): Observable<Grant>;
  /** As {@link Driver.holder$}. */
  holder$(directory: string): Observable<Holder | undefined>;
}

export interface QueueOptions {
  readonly feed$: (range: Range, since?: bigint) => Observable<Feed>;
  readonly sharing: Sharing;
  readonly timeout: number;
  /** Told of releases that go on after an unsubscribe. */
  readonly ending: (work: Promise<void>) => void;
}

/** The contenders of one lock, and who of them holds it. */
interface Line {
  readonly contenders: Snapshot;
  readonly head: Entry | undefined;
}

/**
 * @example
 * const queue = createQueue(driver, { feed$: (range, since) => driver.feed$(range, since), sharing, timeout: 5000, ending });
 */
export function createQueue(driver: Pick<Driver, 'list' | 'commit'>, { feed$, sharing, timeout, ending }: QueueOptions): Queue {
  const contenders = new Contenders({ commit: driver.commit.bind(driver), timeout });

  function line$(directory: string): Observable<Line> {
    const prefix = `${directory}/`;
    return sharing.of(`queue ${directory}`, () =>
      reflect$(directory, since => feed$({ prefix }, since)).pipe(map(contenders => ({ contenders, head: headOf(contenders) }))),
    );
  }

  function acquire$(session: Session, directory: string, value: Uint8Array<ArrayBuffer>, behind?: () => void): Observable<Grant> {
    return new Observable<Grant>(subscriber => {
      const key = contenders.key(directory, session);
      const entered = contenders.enter(key, value, session);
      const place = new Place(key);
      subscriber.add(() => ending(contenders.withdraw(entered, key)));
      subscriber.add(
        from(entered)
          .pipe(
            switchMap(mine => {
              place.entry = mine;
              return line$(directory).pipe(retry({ delay: untilSessionEnds }));
            }),
            switchMap(line => place.look(line, missing)),
          )
          .subscribe({
            next: position => {
              if (position === 'behind') behind?.();
              else subscriber.next({ key, fence: position.created, session });
            },
            error: (error: unknown) => subscriber.error(error),
          }),
      );
    });
  }

  /** Whether a record that the feed does not show is really gone: the feed may still be behind our own write. */
  async function missing(key: string): Promise<boolean> {
    const { entries } = await driver.list({ key }, { timeout, consistency: 'strong' });
    return entries.length === 0;
  }

  function holder$(directory: string): Observable<Holder | undefined> {
    return line$(directory).pipe(
      map(({ head }) => head && { value: head.value, fence: head.created }),
      distinctUntilChanged((a, b) => a === b || (a?.fence === b?.fence && sameBytes(a?.value ?? empty, b?.value ?? empty))),
    );
  }

  return { acquire$, holder$ };
}

/** Where one contender stands, as line after line comes in. */
class Place {
  entry: Entry | undefined;
  private readonly key: string;
  private seen = false;
  private held = false;

  constructor(key: string) {
    this.key = key;
  }

  /** 'behind' each time that others are before us, our entry once when we hold; errors when our record is gone. */
  look({ contenders, head }: Line, missing: (key: string) => Promise<boolean>): Observable<'behind' | Entry> {
    return new Observable(subscriber => {
      const mine = contenders.get(this.key);
      if (mine?.leased !== true) return this.verify(missing).subscribe({ error: (error: unknown) => subscriber.error(error) });
      this.seen = true;
      if (mine.created !== this.entry?.created) subscriber.error(recordGone(this.held));
      else if (head?.key !== this.key) subscriber.next('behind');
      else if (!this.held) {
        this.held = true;
        subscriber.next(mine);
      }
      return undefined;
    });
  }

  private verify(missing: (key: string) => Promise<boolean>): Observable<never> {
    if (this.seen) return throwError(() => recordGone(this.held));
    return defer(() => missing(this.key)).pipe(
      retry({ delay: untilSessionEnds }),
      switchMap(gone => (gone ? throwError(() => recordGone(this.held)) : new Observable<never>())),
    );
  }
}

const empty = new Uint8Array(0);

function headOf(contenders: Iterable<Entry>): Entry | undefined {
  let head: Entry | undefined;
  for (const entry of contenders) {
    // A record without a session would hold for ever: not one of ours.
    if (!entry.leased) continue;
    if (head === undefined || entry.created < head.created || (entry.created === head.created && entry.key < head.key)) head = entry;
  }
  return head;
}
