/** Portions: items in their order, as many together as one request takes. */

export interface Room {
  readonly bytes: number;
  /** Items; no limit by default. */
  readonly items?: number;
}

/**
 * Parts of a list that fit into a request each. An item that is larger than the room is a portion of its own.
 *
 * @param sizeOf  bytes, roughly
 * @example
 * for (const some of portions(keys, key => key.length, { bytes: 2 ** 20 })) await ask(some);
 */
export function* portions<T>(
  list: readonly T[],
  sizeOf: (item: T) => number,
  { bytes: mostBytes, items: most = Infinity }: Room,
): Iterable<readonly T[]> {
  let portion: T[] = [];
  let bytes = 0;
  for (const item of list) {
    const size = sizeOf(item);
    if (portion.length > 0 && (portion.length >= most || bytes + size > mostBytes)) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(item);
    bytes += size;
  }
  if (portion.length > 0) yield portion;
}
