/** The bytes that a lease takes from the arena: native/memory/slabs.h in numbers; a contract test compares the two. */

const smallBytesMin = 256;
const smallBytesMax = 65_536;
const pageBytes = 16_384;

/** Bytes of the slab for a lease of `bytes` (at least 1): four classes a doubling, then whole pages of 16 KiB. */
export function slabBytes(bytes: number): number {
  if (bytes <= smallBytesMin) return smallBytesMin;
  if (bytes > smallBytesMax) return Math.ceil(bytes / pageBytes) * pageBytes;
  const step = 2 ** (29 - Math.clz32(bytes - 1));
  return Math.ceil(bytes / step) * step;
}
