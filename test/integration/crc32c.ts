/** CRC32C, bit by bit and then by table: what a volume server's entity tag shows, computed without the code under test. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let word = byte;
  for (let bit = 0; bit < 8; bit += 1) word = word & 1 ? (word >>> 1) ^ 0x82f63b78 : word >>> 1;
  return word;
});

export function crc32c(bytes: Uint8Array): number {
  let word = 0xffffffff;
  for (const byte of bytes) word = (word >>> 8) ^ (table[(word ^ byte) & 0xff] as number);
  return (word ^ 0xffffffff) >>> 0;
}
