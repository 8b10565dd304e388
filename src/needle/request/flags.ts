/** The flag byte of a needle record (specification 1.2). 0x40 is unused and ignored. */
export const flagCompressed = 0x01;
export const flagManifest = 0x80;

/** The record says that its data is gzip; whether it is, its first two bytes decide (specification 6.1). */
export function isCompressed(flags: number): boolean {
  return (flags & flagCompressed) !== 0;
}

export function isManifest(flags: number): boolean {
  return (flags & flagManifest) !== 0;
}
