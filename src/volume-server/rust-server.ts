/**
 * Tells SeaweedFS's volume server in Rust from the one in Go. Both name the same `Server` value, so that only their way of
 * writing heads tells them apart: the one in Rust writes names in lower case, three of its own in a row, and Date last.
 * Pure.
 */

export type ServerKind = 'go' | 'rust';

const ownNames = ['server', 'x-request-id', 'x-amz-request-id'];

/** `rawHeaders`: flat, in wire order, of any answer of the server's own. */
export function isRustServer(rawHeaders: readonly string[]): boolean {
  const names = rawHeaders.filter((_, index) => index % 2 === 0);
  const at = names.indexOf('server');
  return at >= 0 && ownNames.every((name, index) => names[at + index] === name);
}
