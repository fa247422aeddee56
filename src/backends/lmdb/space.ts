/**
 * Space: how much of the disk must be free before a batch.
 *
 * Not a nicety: lmdb 3.5 overruns a buffer while it composes the message of ENOSPC, and the process dies.
 */
import fs from 'node:fs';
import { KvError } from '../../errors.js';
import type { Batch } from '../local/table.js';

const MiB = 2 ** 20;

/** What writing needs beyond the batch; what only removes or renews may go on into the reserve below it. */
const floor = 16 * MiB;
const reserve = 8 * MiB;

const opening = MiB;

/** A removed key costs the copy of its page, until the pages of a whole range go together. */
const page = 4096;
const mostPages = 1024;

/** ms: how long the disk may be believed to have what it had. */
const holds = 10;
/** As long as it has so much more than is needed: nothing writes that within the time. */
const plenty = 256 * MiB;

/**
 * The space of a folder's disk, asked for before every batch. While batches follow one another the answer is there
 * already: to ask takes a put some 12 µs longer, and costs nothing while the disk is busy with the batch before.
 */
export class Space {
  private readonly path: string;
  private readonly reusable: () => number;
  private free = 0;
  private readAt = -Infinity;
  private checkedAt = -Infinity;
  private following = false;

  /** @param reusable  bytes of the data file that hold nothing any more; asked only where they matter */
  constructor(path: string, reusable: () => number) {
    this.path = path;
    this.reusable = reusable;
  }

  /** @throws KvError `unavailable` when the disk has too little room for the batch: nothing of it was written */
  check(batch: Batch): void {
    const needed = neededBytes(batch);
    const now = performance.now();
    this.following = now - this.checkedAt < holds;
    this.checkedAt = now;
    if (now - this.readAt >= holds || this.free < needed + plenty) this.require(needed);
    // What was read serves one batch: the next one finds less.
    this.readAt = -Infinity;
  }

  /** To be called when a batch was handed to lmdb: looks, while the disk is busy with it, what the next one will find. */
  lookAhead(batch: Batch): void {
    // Behind lmdb's own, in which it wakes its thread.
    if (this.following) setImmediate(() => this.read(neededBytes(batch)));
  }

  private require(needed: number): void {
    const free = freeBytes(this.path);
    if (free >= needed) return;
    // The file never shrinks, so removing makes room in there and none on the disk. Half of it, since readers may still
    // need the rest; and never in place of the reserve, since a large value needs pages in one run.
    if (free + Math.min(this.reusable() / 2, floor - reserve) >= needed) return;
    const words = `the disk of ${this.path} is full: ${shown(free)} are free, and this write needs ${shown(needed)}`;
    throw new KvError('unavailable', words, { backend: 'lmdb' });
  }

  /** @param taken  bytes that the batch which is under way may take of what is free now */
  private read(taken: number): void {
    this.free = freeBytes(this.path) - taken;
    this.readAt = performance.now();
  }
}

/** @throws KvError `unavailable` when the disk has too little room for the files of a new database */
export function checkRoom(path: string): void {
  const free = freeBytes(path);
  if (free < opening) throw new KvError('unavailable', `the disk of ${path} is full: ${shown(free)} are free`, { backend: 'lmdb' });
}

/** That the disk has too little room for any put, in words; undefined where it has enough. */
export function lowSpace(path: string): string | undefined {
  const free = freeBytes(path);
  return free < floor ? `the disk of ${path} is nearly full: ${shown(free)} are free, and a put needs ${shown(floor)}` : undefined;
}

/** Bytes that must be free for a batch. */
export function neededBytes({ writes }: Batch): number {
  let bytes = 0;
  let removed = 0;
  let puts = false;
  for (const write of writes) {
    if ('put' in write) {
      puts = true;
      bytes += write.put.value.length + 2 * write.put.key.length;
    } else if ('remove' in write) removed++;
  }
  // Four times: the value, its copy while a transaction is under way, indexes, and the log.
  return (puts ? floor : reserve) + 4 * bytes + Math.min(removed, mostPages) * page;
}

function freeBytes(path: string): number {
  try {
    const { bavail, bsize } = fs.statfsSync(path);
    return bavail * bsize;
  } catch {
    // A file system that does not tell.
    return Infinity;
  }
}

function shown(bytes: number): string {
  return `${(bytes / MiB).toFixed(1)} MiB`;
}
