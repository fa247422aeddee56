/** Pages: whether all that an LMDB file refers to lies inside of it. */
import { readSync } from 'node:fs';

export interface Extent {
  readonly pageSize: number;
  /** How many the file has. */
  readonly pages: number;
  readonly roots: readonly bigint[];
}

// Of the fork of LMDB in the package lmdb. A page: 18 flags, 20 the bytes of node pointers, 24 the pointers, which
// count from 24. A node: 0 and 2 low and high half of a size or page, 4 flags or top of a page, 6 size of the key.
const base = 24;
const branch = 1;
const leaf = 2;
const nodeHeader = 8;
const bigData = 1;
const subDatabase = 2;
const empty = 0xffff_ffff_ffff_ffffn;

/** Walks the trees of the file. Seldom needed, so it takes its time: all pages are read once. */
export function allPagesThere(file: number, { pageSize, pages, roots }: Extent): boolean {
  const waiting = roots.filter(root => root !== empty);
  const page = Buffer.alloc(pageSize);
  // A tree has no page twice; a file that says so is damaged, and would never end.
  let left = pages;
  for (let number = waiting.pop(); number !== undefined; number = waiting.pop()) {
    if (number >= BigInt(pages) || left-- === 0) return false;
    if (readSync(file, page, 0, pageSize, Number(number) * pageSize) < pageSize) return false;
    const further = references(page, pages);
    if (further === undefined) return false;
    waiting.push(...further);
  }
  return true;
}

/** The pages that a page refers to; undefined where it is none, or a value of its lies outside of the file. */
function references(page: Buffer, pages: number): bigint[] | undefined {
  const flags = page.readUInt16LE(18);
  if ((flags & (branch | leaf)) === 0) return undefined;
  const found: bigint[] = [];
  const end = base + page.readUInt16LE(20);
  if (end > page.length) return undefined;
  for (let pointer = base; pointer < end; pointer += 2) {
    const node = base + page.readUInt16LE(pointer);
    if (node + nodeHeader > page.length) return undefined;
    if ((flags & branch) !== 0) {
      found.push(BigInt(page.readUInt32LE(node)) | (BigInt(page.readUInt16LE(node + 4)) << 32n));
      continue;
    }
    const kind = page.readUInt16LE(node + 4);
    const content = node + nodeHeader + page.readUInt16LE(node + 6);
    if ((kind & bigData) !== 0) {
      if (content + 24 > page.length) return undefined;
      if (page.readBigUInt64LE(content) + page.readBigUInt64LE(content + 16) > BigInt(pages)) return undefined;
    } else if ((kind & subDatabase) !== 0) {
      if (content + 48 > page.length) return undefined;
      const root = page.readBigUInt64LE(content + 40);
      if (root !== empty) found.push(root);
    }
  }
  return found;
}
