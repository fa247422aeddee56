/** Keys and values to bench with: keys of some 48 characters in directories, values of 100 bytes. */

const valueBytes = 100;

/** As many keys, in key order, below `services/`. */
export function keysOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const cluster = String(Math.floor(i / 1000)).padStart(4, '0');
    return `services/cluster-${cluster}/instance-${String(i).padStart(7, '0')}/address`;
  });
}

/** Another value for each number. */
export function valueOf(number: number): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(valueBytes);
  new DataView(value.buffer).setFloat64(0, number);
  return value;
}

/** Steps through the keys in an order that is none: no two neighbours after each other. */
export function pick<T>(items: readonly T[], turn: number): T {
  return items[(turn * 7919) % items.length] as T;
}
