/**
 * A keyspace: the part of a table that is one store's, which is what lies below its root.
 *
 * Keys and prefixes are whole here unless they are called relative.
 */
import type { Foreign } from '../../foreign.js';
import { isKey, prefixEnd, reserved } from '../../key.js';
import type { Row, View } from './table.js';

/** The directory of a store's own records, relative to its root. */
const ownRecords = `${reserved}/`;

export interface ScanOptions {
  readonly values?: boolean;
  /** The whole key to start from. */
  readonly from?: string;
}

export class Keyspace {
  /** '' or any prefix; a directory's ends in '/'. */
  readonly root: string;
  /** Where the store keeps its own records. */
  readonly own: string;
  /** Records of others. */
  readonly foreign: Foreign;

  constructor(root: string, foreign: Foreign) {
    this.root = root;
    this.own = root + ownRecords;
    this.foreign = foreign;
  }

  /** A relative key or prefix as the table knows it. */
  whole(relative: string): string {
    return this.root === '' ? relative : this.root + relative;
  }

  relative(whole: string): string {
    return this.root === '' ? whole : whole.slice(this.root.length);
  }

  /** Whether a key lies in what a prefix means: the root's own records are seen from inside only. */
  within(prefix: string, key: string): boolean {
    return key.startsWith(prefix) && !(prefix === this.root && key.startsWith(this.own));
  }

  /** Whether a record is one that users can name; takes note of those that are not. */
  visible(key: string): boolean {
    if (key.startsWith(this.own)) return true;
    const relative = this.relative(key);
    if (isKey(relative)) return true;
    this.foreign.note(relative);
    return false;
  }

  /** The rows that a prefix means, those no longer alive and those of others included, in the table's order. */
  rows(view: View, prefix: string, options: ScanOptions = {}): Iterable<Row> {
    const from = options.from ?? prefix;
    if (prefix !== this.root) return view.rows(from, prefixEnd(prefix), options);
    return this.aroundOwn(view, from, options);
  }

  private *aroundOwn(view: View, from: string, options: ScanOptions): Iterable<Row> {
    const after = `${this.root}${reserved}0`;
    if (from < this.own) yield* view.rows(from, this.own, options);
    // A raw root need not end in '/', and then no string is right after it in both orders of keys.
    const end = this.root.endsWith('/') ? prefixEnd(this.root) : undefined;
    for (const row of view.rows(from > after ? from : after, end, options)) {
      if (!row.key.startsWith(this.root)) return;
      yield row;
    }
  }
}
