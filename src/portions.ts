/** Portions: items in their order, as many together as one request takes. */

export interface Room<T = unknown> {
  readonly bytes: number;
  /** Items; no limit by default. */
  readonly items?: number;
  /** For how many an item counts; 1 */
  readonly count?: (item: T) => number;
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
  { bytes: mostBytes, items: most = Infinity, count: countOf = () => 1 }: Room<T>,
): Iterable<readonly T[]> {
  let portion: T[] = [];
  let bytes = 0;
  let items = 0;
  for (const item of list) {
    const size = sizeOf(item);
    const count = countOf(item);
    if (portion.length > 0 && (items + count > most || bytes + size > mostBytes)) {
      yield portion;
      portion = [];
      bytes = 0;
      items = 0;
    }
    portion.push(item);
    bytes += size;
    items += count;
  }
  if (portion.length > 0) yield portion;
}
