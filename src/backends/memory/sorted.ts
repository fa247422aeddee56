/** A sorted set: items in the order of a comparison, in arrays short enough that an insertion moves little. */

const longest = 512;

export class Sorted<T> {
  private readonly compare: (a: T, b: T) => number;
  /** None of them is empty. */
  private readonly chunks: T[][] = [];

  constructor(compare: (a: T, b: T) => number) {
    this.compare = compare;
  }

  add(item: T): void {
    if (this.chunks.length === 0) {
      this.chunks.push([item]);
      return;
    }
    const at = Math.min(this.chunkOf(item), this.chunks.length - 1);
    const chunk = this.chunks[at] as T[];
    const index = this.indexIn(chunk, item);
    const there = chunk[index];
    if (there !== undefined && this.compare(there, item) === 0) return;
    chunk.splice(index, 0, item);
    if (chunk.length > longest) this.chunks.splice(at + 1, 0, chunk.splice(longest / 2));
  }

  delete(item: T): void {
    const at = this.chunkOf(item);
    const chunk = this.chunks[at];
    if (chunk === undefined) return;
    const index = this.indexIn(chunk, item);
    const there = chunk[index];
    if (there === undefined || this.compare(there, item) !== 0) return;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.chunks.splice(at, 1);
  }

  first(): T | undefined {
    return this.chunks[0]?.[0];
  }

  /** The items that are not before `item`, in order. The set must not change meanwhile. */
  *from(item: T): Generator<T, void, undefined> {
    let at = this.chunkOf(item);
    const first = this.chunks[at];
    if (first === undefined) return;
    for (let i = this.indexIn(first, item); i < first.length; i++) yield first[i] as T;
    for (at++; at < this.chunks.length; at++) yield* this.chunks[at] as T[];
  }

  /** The first chunk whose last item is not before this one. */
  private chunkOf(item: T): number {
    return lowest(this.chunks.length, i => this.compare((this.chunks[i] as T[]).at(-1) as T, item) >= 0);
  }

  private indexIn(chunk: readonly T[], item: T): number {
    return lowest(chunk.length, i => this.compare(chunk[i] as T, item) >= 0);
  }
}

/** The lowest index for which `holds` is true, which it is for all that follow; `length` where it never is. */
function lowest(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
