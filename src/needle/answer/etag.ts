/** The entity tag with its quotes: the needle checksum in 8 lower-case hex digits (specification 5.2). */
export function etagOf(checksum: number): string {
  return `"${(checksum >>> 0).toString(16).padStart(8, '0')}"`;
}
