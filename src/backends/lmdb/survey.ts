/**
 * A survey: the trees of an LMDB file read page by page, without LMDB, and everything in them that cannot be so.
 *
 * LMDB follows what it finds and dies of what is wrong. Here a page that is damaged is written down and left out.
 */
import { readSync } from 'node:fs';

// A page: 0 its own number, 8 the transaction that wrote it, 18 flags, 20 the bytes of node pointers, 22 where nodes
// begin, 24 the pointers; both, and the pointers, count from 24. A node: 0 and 2 low and high half of a size or page,
// 4 flags or top of a page, 6 size of the key. A value on pages of its own: 0 the first of them, 16 how many.
const base = 24;
const kinds = 0x7f;
const branch = 1;
const leaf = 2;
const overflow = 4;
const nodeHeader = 8;
const bigData = 1;
const subDatabase = 2;
const reference = 24;
const none = 0xffff_ffff_ffff_ffffn;

/** Faults that are told one by one; after them only how many. */
const mostTold = 20;
/** Deeper than a tree of the largest file can be. */
const deepest = 64;

/** What the file says of a tree. */
export interface Tree {
  readonly name: string;
  readonly root: bigint;
  readonly depth: number;
  /** How many entries it should have; undefined where nobody counted. */
  readonly entries?: number;
  /** Keys are numbers in the order of this machine, as those of the free pages. */
  readonly numeric?: boolean;
}

/** One entry. */
export interface Found {
  readonly key: Buffer;
  /** The value, or of a large one what its first page has. */
  readonly value: Buffer;
  /** All of the value, read when asked for. */
  whole(): Buffer;
  /** Whether the value says where another tree is. */
  readonly subDatabase: boolean;
}

export interface Ground {
  readonly file: number;
  readonly pageSize: number;
  /** How many the file has. */
  readonly pages: number;
  /** Nothing can be newer. */
  readonly transaction: number;
}

export class Survey {
  private readonly ground: Ground;
  /** Pages that a tree has: 1 for each. */
  private readonly taken: Uint8Array;
  private readonly told: string[] = [];
  private untold = 0;
  private usedPages = 2;

  constructor(ground: Ground) {
    this.ground = ground;
    this.taken = new Uint8Array(ground.pages);
    // The two meta pages.
    this.taken.fill(1, 0, 2);
  }

  /** As sentences; [] in a file that is whole. */
  get faults(): readonly string[] {
    return this.untold === 0 ? this.told : [...this.told, `and ${this.untold} faults more`];
  }

  /** Pages that hold something, the two meta pages among them. */
  get used(): number {
    return this.usedPages;
  }

  fault(sentence: string): void {
    if (this.told.length < mostTold) this.told.push(sentence);
    else this.untold++;
  }

  /** Walks a tree in the order of its keys; how many entries it has. */
  walk(tree: Tree, visit: (found: Found) => void): number {
    if (tree.root === none) return this.counted(tree, 0);
    let entries = 0;
    const order = new Order(tree);
    const step = (number: bigint, level: number): void => {
      const page = this.page(number, tree.name);
      if (page === undefined) return;
      const kind = page.readUInt16LE(18) & kinds;
      if (kind !== (level === tree.depth ? leaf : branch)) {
        this.fault(`page ${number} of ${tree.name} is of another kind than its place in the tree asks for`);
        return;
      }
      for (const node of this.nodes(page, number, tree.name)) {
        if (kind === branch) {
          step(BigInt(page.readUInt32LE(node)) | (BigInt(page.readUInt16LE(node + 4)) << 32n), level + 1);
          continue;
        }
        const found = this.entry(page, node, number, tree.name);
        if (found === undefined) continue;
        entries++;
        if (!order.next(found.key)) this.fault(`page ${number} of ${tree.name} has its keys out of order`);
        visit(found);
      }
    };
    if (tree.depth < 1 || tree.depth > deepest) this.fault(`${tree.name} cannot be ${tree.depth} pages deep`);
    else step(tree.root, 1);
    return this.counted(tree, entries);
  }

  /** Takes pages that nobody has: one that is in use twice, or in use and free, is soon overwritten. */
  private take(first: bigint, count: number, whose: string): boolean {
    const { pages } = this.ground;
    if (first < 2n || first + BigInt(count) > BigInt(pages)) {
      this.fault(`${whose} has page ${first}, which is not in the file`);
      return false;
    }
    const start = Number(first);
    if (this.taken.subarray(start, start + count).includes(1)) {
      this.fault(`${whose} has page ${first}, which something else has as well`);
      return false;
    }
    this.taken.fill(1, start, start + count);
    return true;
  }

  /** Free pages, which need not be in the file: one may end before what was freed unwritten. */
  leave(first: bigint, count: number): void {
    const { pages } = this.ground;
    if (first < 2n) this.fault(`the list of free pages has page ${first}, which cannot be free`);
    else if (first < BigInt(pages)) this.take(first, Math.min(count, pages - Number(first)), 'the list of free pages');
  }

  private use(first: bigint, count: number, whose: string): boolean {
    const free = this.take(first, count, whose);
    if (free) this.usedPages += count;
    return free;
  }

  private counted({ name, entries: expected }: Tree, entries: number): number {
    if (expected !== undefined && expected !== entries) this.fault(`${name} has ${entries} entries of ${expected}`);
    return entries;
  }

  /** A copy of a page of a tree, if it is one. */
  private page(number: bigint, whose: string): Buffer | undefined {
    if (!this.use(number, 1, whose)) return undefined;
    const page = this.read(number);
    if (page !== undefined && this.isItself(page, number) && (page.readUInt16LE(18) & (branch | leaf)) !== 0) return page;
    this.fault(`page ${number} of ${whose} is not what was written there`);
    return undefined;
  }

  private read(number: bigint): Buffer | undefined {
    const { pageSize } = this.ground;
    const page = this.bytes(Number(number) * pageSize, pageSize);
    return page.length === pageSize ? page : undefined;
  }

  /** As many of them as there are. */
  private bytes(position: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, readSync(this.ground.file, bytes, 0, length, position));
  }

  private isItself(page: Buffer, number: bigint): boolean {
    return page.readBigUInt64LE(0) === number && page.readBigUInt64LE(8) <= BigInt(this.ground.transaction);
  }

  /** Where the nodes of a page are. */
  private nodes(page: Buffer, number: bigint, whose: string): number[] {
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    const found: number[] = [];
    if (lower % 2 === 0 && lower <= upper && base + upper <= page.length) {
      for (let pointer = base; pointer < base + lower; pointer += 2) {
        const node = base + page.readUInt16LE(pointer);
        const fits = node >= base + upper && node + nodeHeader <= page.length;
        if (fits && node + nodeHeader + page.readUInt16LE(node + 6) <= page.length) found.push(node);
      }
    }
    if (found.length === 0 || found.length !== lower / 2) this.fault(`page ${number} of ${whose} is damaged`);
    return found;
  }

  private entry(page: Buffer, node: number, number: bigint, whose: string): Found | undefined {
    const flags = page.readUInt16LE(node + 4);
    const size = page.readUInt32LE(node);
    const content = node + nodeHeader + page.readUInt16LE(node + 6);
    const key = page.subarray(node + nodeHeader, content);
    const length = (flags & bigData) !== 0 ? reference : size;
    if (content + length > page.length) {
      this.fault(`page ${number} of ${whose} has a value that ends outside of it`);
      return undefined;
    }
    const value = page.subarray(content, content + length);
    if ((flags & bigData) === 0) return { key, value, whole: () => value, subDatabase: (flags & subDatabase) !== 0 };
    const first = this.firstPage(value, size, whose);
    if (first === undefined) return undefined;
    const whole = (): Buffer => this.bytes(Number(value.readBigUInt64LE(0)) * this.ground.pageSize + base, size);
    return { key, value: first, whole, subDatabase: false };
  }

  /** What the first page of a large value has of it. */
  private firstPage(where: Buffer, size: number, whose: string): Buffer | undefined {
    const first = where.readBigUInt64LE(0);
    const count = where.readBigUInt64LE(16);
    const { pages, pageSize } = this.ground;
    if (count > BigInt(pages) || base + size > Number(count) * pageSize) {
      this.fault(`a value of ${whose} is longer than its pages`);
      return undefined;
    }
    if (!this.use(first, Number(count), whose)) return undefined;
    const page = this.read(first);
    if (page !== undefined && this.isItself(page, first) && (page.readUInt16LE(18) & kinds) === overflow)
      return page.subarray(base, Math.min(page.length, base + size));
    this.fault(`page ${first} of ${whose} is not what was written there`);
    return undefined;
  }
}

/** Whether keys come in the order of the tree. */
class Order {
  private readonly numeric: boolean;
  private last: Buffer | undefined;

  constructor({ numeric = false }: Tree) {
    this.numeric = numeric;
  }

  next(key: Buffer): boolean {
    const { last } = this;
    this.last = key;
    if (this.numeric && key.length !== 8) return false;
    if (last === undefined || (this.numeric && last.length !== 8)) return true;
    return this.numeric ? last.readBigUInt64LE(0) < key.readBigUInt64LE(0) : Buffer.compare(last, key) < 0;
  }
}

/** The tree that a value of the main database says; undefined where it says none. */
export function treeOf(name: string, { value }: Found): Tree | undefined {
  if (value.length < 48) return undefined;
  return { name, root: value.readBigUInt64LE(40), depth: value.readUInt16LE(6), entries: Number(value.readBigUInt64LE(32)) };
}
