/**
 * A watch: a range, and the first revision of it that was not seen.
 *
 * That revision moves on with the events that it was given and with the server's own notices of progress, never with
 * the header of any other answer: while a watch catches up, that is far ahead of it.
 */
import type { Subscriber } from 'rxjs';
import type { KvError } from '../../errors.js';
import type { KeyRange, WatchEvent, WatchRequest, WatchResponse } from './wire.js';

/**
 * `ready`: the server watches, and is at that revision. `events`: what changed, whole revisions only. `progress`:
 * nothing up to there. `alive`: the peer was heard. `lost`: what came next can no longer be had.
 */
export type WatchMessage =
  | { readonly type: 'ready'; readonly revision: bigint; readonly next: bigint }
  | { readonly type: 'events'; readonly events: readonly WatchEvent[]; readonly revision: bigint }
  | { readonly type: 'progress'; readonly revision: bigint }
  | { readonly type: 'alive' }
  | { readonly type: 'lost' };

const none: readonly WatchEvent[] = [];

export class Watch {
  readonly id: string;
  readonly range: KeyRange;
  private readonly subscriber: Subscriber<WatchMessage>;
  private next: bigint;
  /** Events whose revision is not whole yet. */
  private fragments: readonly WatchEvent[] = none;
  /** Whether the server of this stream has it. */
  private ready = false;

  /** @param next  the first revision that it is to see */
  constructor(id: string, range: KeyRange, next: bigint, subscriber: Subscriber<WatchMessage>) {
    this.id = id;
    this.range = range;
    this.next = next;
    this.subscriber = subscriber;
  }

  /** What a server is asked for: all that was not seen. */
  request(): WatchRequest {
    this.left();
    const { key, range_end } = this.range;
    return {
      create_request: {
        // Not spread: with more after it that takes a hundred times as long, and a store may have thousands of watches.
        key,
        range_end,
        start_revision: String(this.next),
        watch_id: this.id,
        fragment: true,
        progress_notify: true,
      },
    };
  }

  /** The server has it, and is at that revision. */
  accepted(revision: string): void {
    this.ready = true;
    this.subscriber.next({ type: 'ready', revision: BigInt(revision), next: this.next });
  }

  /** No server has it any more. */
  left(): void {
    this.ready = false;
    // What is left of a revision is told anew by the next server, all of it.
    this.fragments = none;
  }

  heard({ events, fragment, header }: WatchResponse): void {
    const all = this.fragments.length === 0 ? events : [...this.fragments, ...events];
    this.fragments = fragment ? all : none;
    if (fragment) return;
    const last = all.at(-1);
    const revision = BigInt(last === undefined ? header.revision : last.kv.mod_revision);
    if (revision < this.next) return;
    this.next = revision + 1n;
    this.subscriber.next(last === undefined ? { type: 'progress', revision } : { type: 'events', events: all, revision });
  }

  alive(): void {
    if (this.ready) this.subscriber.next({ type: 'alive' });
  }

  lose(): void {
    this.subscriber.next({ type: 'lost' });
    this.subscriber.complete();
  }

  fail(error: KvError): void {
    this.subscriber.error(error);
  }
}
