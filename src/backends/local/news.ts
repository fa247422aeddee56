/**
 * News: what has changed in a view since a revision, read at its head.
 *
 * Level-triggered: the log says which keys were touched, and what is said of them is how they are now. So each
 * is read once, however often it was written, and all who are told share the entry.
 */
import type { Change, Range } from '../../driver.js';
import type { Entry } from '../../entry.js';
import type { Keyspace } from './keyspace.js';
import { entriesIn } from './listing.js';
import { type Instant, live, toEntry } from './row.js';
import type { Row, View } from './table.js';

export class News {
  /** The whole keys that were written or deleted and lie in no deleted prefix. */
  readonly keys: Iterable<string>;
  /** The whole prefixes that were deleted. */
  readonly deleted: Iterable<string>;
  private readonly view: View;
  private readonly keyspace: Keyspace;
  private readonly at: Instant;
  /** What was said of a key last: all whom a key concerns are told of it one after the other. */
  private last: { readonly key: string; readonly change: Change } | undefined;
  /** What was said of prefixes; made when needed, since most news are of one key. */
  private replaced: Map<string, Change> | undefined;
  private readonly seen: (row: Row) => void;

  /** @param seen  called with each row that is read and still alive */
  constructor(view: View, after: number, keyspace: Keyspace, at: Instant, seen: (row: Row) => void = () => {}) {
    const keys = new Set<string>();
    let deleted: Set<string> | undefined;
    for (const { changes } of view.log(after)) {
      for (const change of changes) {
        if ('deletePrefix' in change) {
          deleted = (deleted ?? new Set()).add(change.deletePrefix);
          continue;
        }
        const key = 'put' in change ? change.put : change.delete;
        if (!keys.has(key) && key.startsWith(keyspace.root) && keyspace.visible(key)) keys.add(key);
      }
    }
    for (const prefix of deleted ?? []) for (const key of keys) if (keyspace.within(prefix, key)) keys.delete(key);
    this.view = view;
    this.keyspace = keyspace;
    this.at = at;
    this.seen = seen;
    this.deleted = deleted ?? [];
    this.keys = keys;
  }

  /** What is to be said of one range; [] where nothing concerns it. */
  of(range: Range): Change[] {
    const changes = [...this.deleted].flatMap(prefix => this.afterDeletion(range, prefix));
    for (const key of this.keys) if (this.concerns(range, key)) changes.push(this.change(key));
    return changes;
  }

  /** How a key is now. */
  change(key: string): Change {
    if (this.last?.key !== key) this.last = { key, change: this.read(key) };
    return this.last.change;
  }

  /** What a range is told of a deleted prefix: how things are now where the two overlap. */
  afterDeletion(range: Range, deleted: string): Change[] {
    const { keyspace } = this;
    if ('key' in range) {
      const key = keyspace.whole(range.key);
      return keyspace.within(deleted, key) ? [this.change(key)] : [];
    }
    const prefix = keyspace.whole(range.prefix);
    if (keyspace.within(deleted, prefix)) return [this.replacement(prefix)];
    if (!keyspace.within(prefix, deleted)) return [];
    // A store of another root may have deleted a prefix that is no directory of ours.
    return [this.replacement(deleted.endsWith('/') ? deleted : prefix)];
  }

  private concerns(range: Range, key: string): boolean {
    return 'key' in range ? key === this.keyspace.whole(range.key) : this.keyspace.within(this.keyspace.whole(range.prefix), key);
  }

  private read(key: string): Change {
    const row = this.view.row(key);
    if (row === undefined || !live(row, this.view, this.at)) return { delete: this.keyspace.relative(key) };
    this.seen(row);
    return { put: toEntry(row, this.keyspace.root) };
  }

  private replacement(prefix: string): Change {
    this.replaced ??= new Map();
    let change = this.replaced.get(prefix);
    if (change === undefined) {
      const replace = this.keyspace.relative(prefix);
      const entries: readonly Entry[] = entriesIn(this.view, this.keyspace, { prefix: replace }, this.at);
      this.replaced.set(prefix, (change = { replace, entries }));
    }
    return change;
  }
}
