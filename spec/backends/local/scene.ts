/** A scene: an engine's parts over a table in memory, for specs of each of them. */
import type { Observable } from 'rxjs';
import { MemoryTable } from '../../../src/backends/memory/table.js';
import { Storage } from '../../../src/backends/memory/storage.js';
import { transact } from '../../../src/backends/local/commit.js';
import { Draft, type Step } from '../../../src/backends/local/draft.js';
import { Keyspace } from '../../../src/backends/local/keyspace.js';
import type { Instant } from '../../../src/backends/local/row.js';
import type { Batch } from '../../../src/backends/local/table.js';
import type { Change, DriverCheck, DriverContext, DriverOp, DriverTransaction, Feed, Outcome, Session } from '../../../src/driver.js';
import type { Entry } from '../../../src/entry.js';
import { KvError } from '../../../src/errors.js';
import { silent } from '../../../src/logger.js';
import { Foreign } from '../../../src/foreign.js';

export const boot = 'memory';

export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
}

export function put(key: string, value = 'x', more: { ttl?: number | 'keep'; session?: Session } = {}): DriverOp {
  return { put: key, value: bytes(value), ...more };
}

/** A session as a put names it. */
export function sessionOf(id: string): Session {
  return { id, ttl: 1000, remaining: () => 1000 };
}

/** One world and a clock that stands still unless it is moved. */
export class Scene {
  readonly storage: Storage = new Storage();
  readonly table: MemoryTable = new MemoryTable(this.storage, undefined, () => {});
  readonly keyspace: Keyspace;
  readonly foreign: unknown[] = [];
  at: Instant = { wall: 1000, monotonic: 1000, boot };

  constructor(root = '') {
    this.keyspace = new Keyspace(root, new Foreign('memory', { warn: (_message, detail) => this.foreign.push(detail) }));
  }

  /** Runs steps as one batch. */
  batch<R>(...steps: readonly Step<R>[]): (R | KvError)[] {
    let answers: (R | KvError)[] = [];
    this.written = undefined;
    this.storage.commit(view => {
      const draft = new Draft(view, this.at);
      answers = steps.map(step => draft.step(step));
      this.written = draft.batch();
      return this.written;
    });
    return answers;
  }

  /** What the last batch wrote. */
  written: Batch | undefined;

  /** One transaction, which must not throw. */
  commit(ops: readonly DriverOp[], checks: readonly DriverCheck[] = []): Outcome {
    const [outcome] = this.batch(this.step({ checks, ops }));
    if (outcome === undefined || KvError.is(outcome)) throw outcome;
    return outcome;
  }

  step(transaction: DriverTransaction): Step<Outcome> {
    return draft => transact(draft, this.keyspace, transaction);
  }

  /** A session that ends at `deadline` on the monotonic clock. */
  begin(id: string, deadline: number): Session {
    this.batch(draft => draft.putSession({ id, ttl: 100, deadline, boot }));
    return sessionOf(id);
  }

  entry(key: string): Entry {
    const outcome = this.commit([], [{ key, entry: { key, value: bytes(''), revision: -1n, created: 0n, leased: false } }]);
    const current = outcome.ok ? undefined : outcome.failed[0]?.current;
    if (current === undefined) throw new Error(`${key} is absent`);
    return current;
  }
}

/** A feed's messages in short: `reset 3: a=1 b=2`, `patch 4: +a=1 -b ~d/(d/x=1)`, `mark 4`. */
export function say(message: Feed): string {
  const revision = message.revision === undefined ? '' : ` ${message.revision}`;
  if (message.type === 'mark') return `mark${revision}`;
  const parts = message.type === 'reset' ? message.entries.map(pair) : message.changes.map(change);
  return [`${message.type}${revision}:`, ...parts].join(' ');
}

/** What a feed says, in short, and its error's code. */
export function hear(feed$: Observable<Feed>): string[] & { readonly stop: () => void } {
  const heard: string[] = [];
  const subscription = feed$.subscribe({
    next: message => heard.push(say(message)),
    error: (error: unknown) => heard.push(KvError.is(error) ? `error ${error.code}` : String(error)),
    complete: () => heard.push('complete'),
  });
  // Not enumerable, so that what was heard equals a plain array.
  return Object.defineProperty(heard, 'stop', { value: () => subscription.unsubscribe() }) as string[] & { readonly stop: () => void };
}

export function pair({ key, value }: Entry): string {
  return `${key}=${new TextDecoder().decode(value)}`;
}

export function context(more: Partial<DriverContext> = {}): DriverContext & { endings: Promise<void>[] } {
  const endings: Promise<void>[] = [];
  return { timeout: 5000, silence: 2000, logger: silent, ending: work => endings.push(work), ...more, endings };
}

function change(one: Change): string {
  if ('put' in one) return `+${pair(one.put)}`;
  if ('delete' in one) return `-${one.delete}`;
  return `~${one.replace}(${one.entries.map(pair).join(' ')})`;
}
