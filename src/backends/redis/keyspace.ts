/**
 * A keyspace: the part of a database that is one store's, which is what lies below its root.
 *
 * A value is a plain string under its own name. What Redis does not keep of it (its revision, what created it, whose
 * session it is) is in a companion beside it, in the same slot: `<root>~rxkv/rev:{<name>}`. Names of ours that are no
 * keys end in `}` or `/queue`, which no record of a lock does.
 */
import type { Range } from '../../driver.js';
import type { Foreign } from '../../foreign.js';
import { isKey, reserved } from '../../key.js';
import { isTagged, slotOf } from './slot.js';

/** The directory of a store's own records, relative to its root. */
export const ownRecords: string = `${reserved}/`;

export interface KeyspaceOptions {
  /** '' or any prefix; a directory's ends in '/' */
  readonly root: string;
  /** Whether the server is a cluster, so that names decide where a key is. */
  readonly cluster: boolean;
  readonly index: boolean;
  readonly foreign: Foreign;
}

export class Keyspace {
  readonly root: string;
  /** Whether all of it is in one place, so that scripts may touch several keys. */
  readonly oneSlot: boolean;
  readonly indexed: boolean;
  /** What is before our own records. */
  readonly own: string;
  /** Of all that needs no other name: what stands before and after a key in its companion's name. */
  readonly aside: readonly [string, string];
  /** Records of others. */
  readonly foreign: Foreign;

  constructor({ root, cluster, index, foreign }: KeyspaceOptions) {
    this.root = root;
    this.oneSlot = !cluster || isTagged(root);
    this.indexed = index;
    this.own = root + ownRecords;
    this.aside = [`${this.own}rev:{`, '}'];
    this.foreign = foreign;
  }

  /** The name of a key, or of all keys below a prefix what they begin with. */
  name(relative: string): string {
    if (this.oneSlot || !relative.startsWith(ownRecords)) return this.root + relative;
    // The records of one lock are in one slot, whatever its name: what braces hold is not to be nothing.
    const [, lock = '', rest = ''] = /^([^/]*)(.*)$/s.exec(relative.slice(ownRecords.length)) ?? [];
    return lock === '' ? this.own : `${this.own}{=${lock}}${rest}`;
  }

  /** A key's name with that of its companion. */
  pair(relative: string): [string, string] {
    const name = this.name(relative);
    return [name, this.companion(name)];
  }

  session(id: string): string {
    return `${this.own}session:{${id}}`;
  }

  /** The sorted set of a lock's contenders. @param directory  of the lock, relative to the root, without its slash */
  queue(directory: string): string {
    return this.name(`${directory}/queue`);
  }

  get index(): string {
    return `${this.own}index:{}`;
  }

  /** Whether what is there is in the index: our own records are not. */
  indexes(prefix: string): boolean {
    return this.indexed && !prefix.startsWith(ownRecords);
  }

  /** As SCAN and KEYS take it. */
  pattern(prefix: string): string {
    return `${this.name(prefix).replaceAll(/[\\*?[\]^-]/g, '\\$&')}*`;
  }

  /** A name as text; undefined for one that is no UTF-8, of which it takes note. */
  text(bytes: Buffer): string | undefined {
    const name = bytes.toString();
    // Read with replacement characters, it would be another's name.
    if (!name.includes('\ufffd') || Buffer.from(name).equals(bytes)) return name;
    this.note(name);
    return undefined;
  }

  /** The relative key; undefined for names of ours that are none, and for records of others, of which it takes note. */
  relative(name: string): string | undefined {
    if (name.startsWith(this.own)) {
      if (name.endsWith('}') || name.endsWith('/queue')) return undefined;
      const key = name.slice(this.root.length);
      return this.oneSlot ? key : key.replace(/^(~rxkv\/)\{=([^/]*)\}/, '$1$2');
    }
    const key = name.slice(this.root.length);
    if (isKey(key)) return key;
    this.note(name);
    return undefined;
  }

  /** As {@link relative}; undefined also for names outside of the range, and for our own records where it leaves them out. */
  within(range: Range, name: string): string | undefined {
    if ('key' in range) return name === this.name(range.key) ? range.key : undefined;
    if (!name.startsWith(this.name(range.prefix)) || (range.prefix === '' && name.startsWith(this.own))) return undefined;
    return this.relative(name);
  }

  /** Takes note of a record of others. */
  note(name: string): void {
    if (!name.startsWith(this.own)) this.foreign.note(name.slice(this.root.length));
  }

  private companion(name: string): string {
    const [before, after] = this.aside;
    const usual = before + name + after;
    if (this.oneSlot) return usual;
    const slot = slotOf(name);
    if (slotOf(usual) === slot) return usual;
    // A name with braces of its own is in the slot of what they hold.
    const plain = `${this.own}rev:${name}}`;
    if (slotOf(plain) === slot) return plain;
    // Some braces leave no such name: one that happens to be there.
    for (let i = 0; ; i++) {
      const chance = `${this.own}rev:{${i}:${name}}`;
      if (slotOf(chance) === slot) return chance;
    }
  }
}
