/** Two fields of a needle's record: its flags and its checksum. */

/** Bits of the flag byte (specification 1.2). 0x40 is unused and ignored. */
export const flagCompressed = 0x01;
export const flagManifest = 0x80;

/** The record says that its data is gzip; whether it is, its first two bytes decide (specification 6.1). */
export function isCompressed(flags: number): boolean {
  return (flags & flagCompressed) !== 0;
}

export function isManifest(flags: number): boolean {
  return (flags & flagManifest) !== 0;
}

/** The entity tag with its quotes: the needle checksum in 8 lower-case hex digits (specification 5.2). */
export function etagOf(checksum: number): string {
  return `"${(checksum >>> 0).toString(16).padStart(8, '0')}"`;
}
