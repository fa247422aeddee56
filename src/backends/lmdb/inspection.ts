/** An inspection: what there is to say about a folder of LMDB. */

/**
 * - `healthy`: every page of the database is what was written there, and what rxkv keeps in it agrees with itself
 * - `absent`, `empty`: there is no folder, or no database in it; lmdb() makes one
 * - `busy`: it is written to so fast that it could not be read as a whole; stop the writers to know more
 * - `foreign`: something else is there
 * - `newer`, `older`: another version of rxkv wrote it, in a layout that this one does not read
 * - `damaged`: it once was a database
 * - `inaccessible`: this process may not, or cannot, read it
 */
export type InspectionVerdict = 'healthy' | 'absent' | 'empty' | 'busy' | 'foreign' | 'newer' | 'older' | 'damaged' | 'inaccessible';

/** What {@link inspect} found in a folder. */
export interface Inspection {
  /** Absolute. */
  readonly path: string;
  readonly verdict: InspectionVerdict;
  /** What is wrong, the worst first, and what to do about it; also of a healthy folder, such as a disk that is nearly full. */
  readonly problems: readonly InspectedProblem[];
  /** What the folder holds, by name; the first 100. */
  readonly files: readonly InspectedFile[];
  /** Missing where the file is none of LMDB. */
  readonly database?: InspectedDatabase;
  /** Missing where they cannot be told; of a damaged database what could be read. */
  readonly contents?: InspectedContents;
}

export interface InspectedFile {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'other';
  readonly bytes: number;
  readonly modified: Date;
}

export interface InspectedDatabase {
  /** LMDB's own: that of the package lmdb is 2. */
  readonly format: number;
  readonly pageSize: number;
  /** How many pages the file has, and how many of them hold something. */
  readonly pages: number;
  readonly usedPages: number;
  /** LMDB's count of commits. */
  readonly transaction: number;
}

export interface InspectedContents {
  /** The version of rxkv's layout. */
  readonly schema: number;
  /** Of the last transaction that changed a key. */
  readonly revision: bigint;
  /** The change log holds what came after this revision. */
  readonly compacted: bigint;
  /** Keys of all roots, those whose ttl is over and that nobody has removed yet among them. */
  readonly entries: number;
  /** Those of them that have a ttl. */
  readonly expiring: number;
  /** Of locks, elections and keepAlive$; what has ended is removed by the next process that has the folder open. */
  readonly sessions: { readonly live: number; readonly ended: number };
  /** Locks and elections that somebody holds. */
  readonly locks: readonly InspectedLock[];
}

export interface InspectedLock {
  /** Of the store: '' or ending in '/'. */
  readonly root: string;
  /** The name; of one over 512 bytes its SHA-256. */
  readonly name: string;
  readonly fence: bigint;
  /** How many wait behind the holder. */
  readonly waiting: number;
}

export interface InspectedProblem {
  readonly wrong: string;
  readonly remedy: string;
}
