/** A scope: where in the store a view stands, and how keys look from there. */
import { type Entry, renamed } from './entry.js';
import { directoryOf, normaliseDirectory, normaliseKey } from './key.js';

export class Scope {
  /** '' or ending in '/'. */
  readonly base: string;

  constructor(base: string) {
    this.base = base;
  }

  /** A scope further down. */
  at(directory: string): Scope {
    return new Scope(this.prefix(directory));
  }

  /** A user's key as the store knows it. */
  key(key: string): string {
    return normaliseKey(key, this.base);
  }

  /** A user's directory as the prefix that the store knows. */
  prefix(directory: string): string {
    return normaliseDirectory(directory, this.base);
  }

  /** A key of the store as the user sees it. */
  seen(key: string): string {
    return key.slice(this.base.length);
  }

  /** A prefix of the store as the directory that the user sees. */
  seenDirectory(prefix: string): string {
    return directoryOf(prefix.slice(this.base.length));
  }

  /** An entry of the store as the user sees it. */
  entry(entry: Entry): Entry {
    return this.base === '' ? entry : renamed(entry, this.seen(entry.key));
  }
}
