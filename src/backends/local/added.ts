/** Lists that are made with their first item: an empty array that grows makes room for 17, and most lists here hold one. */
export function added<T>(items: T[] | undefined, item: T): T[] {
  if (items === undefined) return [item];
  items.push(item);
  return items;
}
