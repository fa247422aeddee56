/** A keyspace: the part of etcd's keys that is one store's, which is what lies below its root. Keys there are bytes. */
import type { Range } from '../../driver.js';
import type { Entry } from '../../entry.js';
import type { Foreign } from '../../foreign.js';
import { isKey, reserved } from '../../key.js';
import type { KeyRange, Kv } from './wire.js';

/** The directory of a store's own records, relative to its root. */
export const ownRecords: string = `${reserved}/`;

const nul: Buffer = Buffer.from([0]);

export class Keyspace {
  private readonly prefix: string;
  /** Bytes of the prefix. */
  private readonly stripped: number;
  /** Records of others. */
  readonly foreign: Foreign;

  /** @param root  '' or any prefix; a directory's ends in '/' */
  constructor(root: string, foreign: Foreign) {
    this.prefix = root;
    this.stripped = Buffer.byteLength(root);
    this.foreign = foreign;
  }

  key(relative: string): Buffer {
    return Buffer.from(this.prefix + relative);
  }

  /** All bytes that a range means, our own records included. */
  range(range: Range): KeyRange {
    if ('key' in range) return { key: this.key(range.key) };
    const key = this.key(range.prefix);
    return key.length === 0 ? { key: nul, range_end: nul } : { key, range_end: afterPrefix(key) };
  }

  /** The same as pieces around our own records, which the root's range leaves out. */
  pieces(range: Range): KeyRange[] {
    const whole = this.range(range);
    if (!('prefix' in range) || range.prefix !== '') return [whole];
    const own = this.key(ownRecords);
    return [
      { key: whole.key, range_end: own },
      { key: afterPrefix(own), range_end: whole.range_end ?? nul },
    ];
  }

  /** The relative key; undefined for records of others that are no valid key, of which it takes note. */
  relative(key: Buffer): string | undefined {
    const relative = key.toString('utf8', this.stripped);
    if (relative.startsWith(ownRecords)) return relative;
    if (isKey(relative) && (!relative.includes('\ufffd') || this.key(relative).equals(key))) return relative;
    this.foreign.note(relative, key.toString('latin1'));
    return undefined;
  }

  /** As {@link relative}; undefined also for our own records where the range leaves them out. */
  within(range: Range, key: Buffer): string | undefined {
    const relative = this.relative(key);
    return relative !== undefined && isSeen(range, relative) ? relative : undefined;
  }
}

/** Whether a range shows a key that lies in its bytes: the root shows none of our own records. */
export function isSeen(range: Range, relative: string): boolean {
  return 'key' in range || range.prefix !== '' || !relative.startsWith(ownRecords);
}

/** The first bytes after all that start with the prefix; `\0`, which is endless, where there are none. */
export function afterPrefix(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  for (let last = end.length - 1; last >= 0; last--) {
    const byte = end[last] as number;
    if (byte < 0xff) {
      end[last] = byte + 1;
      return end.subarray(0, last + 1);
    }
  }
  return nul;
}

/** The bytes right after a key. */
export function afterKey(key: Buffer): Buffer {
  return Buffer.concat([key, nul]);
}

export function entryOf(kv: Kv, key: string): Entry {
  return {
    key,
    // A copy: what was received is a slice of the whole answer, which one small value would keep in memory.
    value: new Uint8Array(kv.value),
    revision: BigInt(kv.mod_revision),
    created: BigInt(kv.create_revision),
    leased: kv.lease !== '0',
  };
}
