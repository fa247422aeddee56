/** Meta: the record at the front of an LMDB file that says where everything is; there are two, written in turn. */
import { readSync } from 'node:fs';

// The fork of LMDB in the package lmdb, "data format 2": 24 bytes of page header, then the meta record.
const magic = 0xbeefc0de;
/** The data format that the package lmdb reads. */
export const format = 2;
const metaBytes = 192;
const smallest = 8192;

export interface Meta {
  readonly magic: number;
  readonly version: number;
  readonly pageSize: number;
  readonly lastPage: number;
  readonly transaction: number;
  /** Of the list of free pages, and of the databases. */
  readonly roots: readonly [free: bigint, main: bigint];
  /** How deep those trees are. */
  readonly depths: readonly [free: number, main: number];
}

/** Why a file is none that LMDB could open. */
export interface MetaFault {
  /** 'foreign': it never was one that this package reads. */
  readonly kind: 'foreign' | 'damaged';
  /** To be put after the name of the file. */
  readonly wrong: string;
}

/** The newer of the two, or why there is none. The file must have something in it. */
export function newestMeta(file: number, size: number): Meta | MetaFault {
  if (size < smallest) return { kind: 'foreign', wrong: 'is too short to be an LMDB database' };
  const first = metaAt(file, 0);
  if (first.magic !== magic) return { kind: 'foreign', wrong: 'is no LMDB database' };
  if (first.version !== format)
    return { kind: 'foreign', wrong: `is an LMDB database of data format ${first.version}, and the package lmdb reads ${format}` };
  const { pageSize } = first;
  if (pageSize < 256 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0)
    return { kind: 'damaged', wrong: 'is damaged: its page size is impossible' };
  const second = metaAt(file, pageSize);
  if (second.magic !== magic || second.version !== format) return { kind: 'damaged', wrong: 'is damaged: its second meta page is none' };
  return first.transaction >= second.transaction ? first : second;
}

/** The number of the last transaction, of a file that has been looked at before. */
export function newestTransaction(file: number, pageSize: number): number {
  return Math.max(metaAt(file, 0).transaction, metaAt(file, pageSize).transaction);
}

function metaAt(file: number, position: number): Meta {
  const bytes = Buffer.alloc(metaBytes);
  readSync(file, bytes, 0, metaBytes, position);
  return {
    magic: bytes.readUInt32LE(24),
    version: bytes.readUInt32LE(28),
    pageSize: bytes.readUInt32LE(48),
    depths: [bytes.readUInt16LE(54), bytes.readUInt16LE(102)],
    roots: [bytes.readBigUInt64LE(88), bytes.readBigUInt64LE(136)],
    lastPage: Number(bytes.readBigUInt64LE(144)),
    transaction: Number(bytes.readBigUInt64LE(152)),
  };
}
