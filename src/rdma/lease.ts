/**
 * A counted hold on a needle's bytes in the arena. Whoever reads the view holds a lease; the last release
 * returns the slab. Releasing while a socket write is pending shows the next owner's bytes to a client:
 * release in the write's callback or on close.
 */
export interface Lease {
  /** Bytes held in the arena. */
  readonly bytes: number;
  /** Another hold on the same bytes; each must be released once. */
  share(): Lease;
  /** Idempotent. */
  release(): void;
  [Symbol.dispose](): void;
}
