/** Slots: where a cluster keeps a key, by the CRC of its name or of what stands between its first braces. */

export const slots = 16_384;

/** Of CRC-16/XMODEM, which Redis calls CCITT. */
const table: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

export function slotOf(name: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tagOf(name))) crc = ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ byte] as number);
  return crc % slots;
}

/** What stands between the first braces, unless that is nothing: then the whole name. */
export function tagOf(name: string): string {
  const open = name.indexOf('{');
  const close = open === -1 ? -1 : name.indexOf('}', open + 1);
  return close > open + 1 ? name.slice(open + 1, close) : name;
}

/** Whether all names that begin so are in one slot. */
export function isTagged(prefix: string): boolean {
  return tagOf(prefix) !== prefix;
}
