/** A keyspace: the part of Consul's keys that is one store's, which is what lies below its root. */
import type { Range } from '../../driver.js';
import type { Entry } from '../../entry.js';
import type { Foreign } from '../../foreign.js';
import { isKey, reserved } from '../../key.js';
import type { KvPair } from './wire.js';

/** The directory of a store's own records, relative to its root. */
export const ownRecords: string = `${reserved}/`;

/** Characters that Consul takes in a URL, as Go's unicode.IsPrint has it. */
export const printable: RegExp = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;

/** Most keys are no more than this, which is quicker to see. */
const ascii = /^[ -~]*$/;

export class Keyspace {
  readonly root: string;
  private readonly refused: Set<string> = new Set();
  /** Records of others. */
  readonly foreign: Foreign;

  /** @param root  '' or any prefix; a directory's ends in '/' */
  constructor(root: string, foreign: Foreign) {
    this.root = root;
    this.foreign = foreign;
  }

  key(relative: string): string {
    return this.root + relative;
  }

  /** The key, or the prefix, that Consul is asked for. */
  path(range: Range): string {
    return this.root + ('key' in range ? range.key : range.prefix);
  }

  /** Whether Consul takes this in a URL; every key is taken in the body of a transaction. */
  takesPath(path: string): boolean {
    return (ascii.test(path) || printable.test(path)) && !this.refused.has(path);
  }

  /** Consul knows fewer characters than we do: it refused this one in a URL. */
  refusesPath(path: string): void {
    this.refused.add(path);
  }

  /** The nearest directory above, as Consul knows it, that can stand in a URL. */
  above(path: string): string {
    for (let end = path.lastIndexOf('/', path.length - 2); end >= this.root.length; end = path.lastIndexOf('/', end - 1)) {
      const directory = path.slice(0, end + 1);
      if (this.takesPath(directory)) return directory;
    }
    return this.root;
  }

  /** The relative key; undefined for records of others that are no valid key, of which it takes note. */
  relative(key: string): string | undefined {
    const relative = key.slice(this.root.length);
    if (relative.startsWith(ownRecords) || isKey(relative)) return relative;
    this.foreign.note(relative);
    return undefined;
  }

  /** As {@link relative}; undefined also for our own records where the range leaves them out. */
  within(range: Range, key: string): string | undefined {
    const relative = this.relative(key);
    return relative !== undefined && isSeen(range, relative) ? relative : undefined;
  }
}

/** Whether a range shows a key that lies in it: the root shows none of our own records. */
export function isSeen(range: Range, relative: string): boolean {
  return 'key' in range || range.prefix !== '' || !relative.startsWith(ownRecords);
}

export function entryOf(pair: KvPair, key: string): Entry {
  return written(pair, key, pair.Value === null ? new Uint8Array(0) : new Uint8Array(Buffer.from(pair.Value, 'base64')));
}

/** The entry of what a write tells, which leaves the value out. */
export function written({ ModifyIndex, CreateIndex, Flags, Session }: KvPair, key: string, value: Uint8Array<ArrayBuffer>): Entry {
  return {
    key,
    value,
    revision: BigInt(ModifyIndex),
    created: BigInt(CreateIndex),
    leased: Session !== undefined,
    token: Session === undefined ? `${Flags}` : `${Flags} ${Session}`,
  };
}

/** The session that holds the key; undefined where none does. */
export function sessionOf({ token }: Entry): string | undefined {
  return token?.split(' ')[1];
}

/**
 * Flags that differ from those of the entry in their last bit: Consul takes a write of equal bytes and flags for none,
 * and then a second compare-and-set with the same index would win too.
 */
export function otherFlags({ token = '0' }: Entry): string {
  const flags = Number(token.split(' ')[0]);
  if (!Number.isSafeInteger(flags)) return '0';
  return String(flags % 2 === 0 ? flags + 1 : flags - 1);
}
