/**
 * Expiry: when keys with a ttl are to be looked at again, since a server may tell of their end late, or never.
 *
 * A look at an expired key is what makes a server delete it, and tell all others.
 */

interface Due {
  readonly key: string;
  readonly at: number;
}

/** setTimeout counts in 32 bits and answers a larger delay at once. */
const longest = 2 ** 31 - 1;

export class Expiry {
  private readonly expired: (keys: readonly string[]) => void;
  private readonly ends: Map<string, number> = new Map();
  /** A heap by time; what `ends` says otherwise by now is skipped. */
  private heap: Due[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private armedFor = Infinity;

  /** @param expired  told of the keys whose time has come */
  constructor(expired: (keys: readonly string[]) => void) {
    this.expired = expired;
  }

  /** @param at  `performance.now()` of its end; Infinity for none */
  set(key: string, at: number): void {
    if (at === Infinity) {
      this.ends.delete(key);
      return;
    }
    if (this.ends.get(key) === at) return;
    this.ends.set(key, at);
    // Each renewal leaves one behind.
    if (this.heap.length > 64 && this.heap.length > this.ends.size * 4) this.rebuild();
    else push(this.heap, { key, at });
    this.arm();
  }

  clear(): void {
    this.ends.clear();
    this.heap = [];
    clearTimeout(this.timer);
    this.armedFor = Infinity;
  }

  private rebuild(): void {
    this.heap = [];
    for (const [key, at] of this.ends) push(this.heap, { key, at });
  }

  private arm(): void {
    const [next] = this.heap;
    if (next === undefined || next.at >= this.armedFor) return;
    clearTimeout(this.timer);
    this.armedFor = next.at;
    // A timer may be early by a part of a ms, and the server counts whole ones.
    this.timer = setTimeout(() => this.expire(), Math.min(longest, Math.max(1, Math.ceil(next.at - performance.now()) + 1)));
  }

  private expire(): void {
    const now = performance.now();
    this.armedFor = Infinity;
    const keys: string[] = [];
    for (let [next] = this.heap; next !== undefined && next.at <= now; [next] = this.heap) {
      pop(this.heap);
      if (this.ends.get(next.key) !== next.at) continue;
      this.ends.delete(next.key);
      keys.push(next.key);
    }
    this.arm();
    if (keys.length > 0) this.expired(keys);
  }
}

function push(heap: Due[], due: Due): void {
  let at = heap.length;
  heap.push(due);
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as Due;
    if (parent.at <= due.at) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = due;
}

function pop(heap: Due[]): void {
  const last = heap.pop() as Due;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    const left = at * 2 + 1;
    if (left >= heap.length) break;
    const right = left + 1;
    const below = right < heap.length && (heap[right] as Due).at < (heap[left] as Due).at ? right : left;
    const child = heap[below] as Due;
    if (child.at >= last.at) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
}
