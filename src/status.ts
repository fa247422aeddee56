/** Status: how the last call or feed of a store went. */
import { BehaviorSubject, defer, type Observable, of } from 'rxjs';
import type { KvError } from './errors.js';
import type { Status } from './interface.js';

export class StatusTracker {
  private readonly current: BehaviorSubject<Status> = new BehaviorSubject<Status>({ state: 'idle', since: Date.now() });

  /** The current status, then each change of it; completes at close, and later subscribers are told of that. */
  readonly status$: Observable<Status> = defer(() => (this.current.value.state === 'closed' ? of(this.current.value) : this.current));

  /** Something has been asked; says nothing once an answer was had. */
  asking(): void {
    if (this.current.value.state === 'idle') this.enter('connecting');
  }

  live(): void {
    const { state } = this.current.value;
    if (state !== 'live' && state !== 'closed') this.enter('live');
  }

  /** A transient error says that what we know may be out of date; any other is an answer. */
  failed(error: KvError): void {
    const { state, error: before } = this.current.value;
    if (state === 'closed') return;
    if (!error.transient || error.code === 'session-lost' || error.code === 'lock-lost') return;
    if (state === 'stale' && before?.code === error.code) return;
    this.current.next({ state: 'stale', since: Date.now(), error });
  }

  closed(): void {
    if (this.current.value.state === 'closed') return;
    this.enter('closed');
    this.current.complete();
  }

  private enter(state: Status['state']): void {
    this.current.next({ state, since: Date.now() });
  }
}
