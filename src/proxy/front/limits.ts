/** The front's limits, and what happens at each. */
export interface FrontLimits {
  /** Over this a new connection takes the place of one without a request, or is answered 503 and closed. */
  readonly connections: number;
  /** Over this a read passes to the volume server (`overload`); at twice this it is refused with 503. */
  readonly requestsInFlight: number;
  /** Needle bytes held in leases by answers that clients are still reading; over this reads pass (`overload`). */
  readonly bytesInFlight: number;
  /**
   * A slow client's remaining bytes up to this are copied, so that its lease goes home; more waits in the lease. All
   * copies together stay within `bytesInFlight`.
   */
  readonly connectionBytes: number;
  /** A longer request head goes to the volume server raw. */
  readonly headBytes: number;
  /** From a head's first byte to its end; then 400. */
  readonly headTimeoutMs: number;
  /** Without a request, or without progress of an answer: the connection is closed. */
  readonly idleTimeoutMs: number;
  /** A body of which fewer than `bodyBytesMin` came in this time, while it was read: the connection is closed. */
  readonly bodyTimeoutMs: number;
  readonly bodyBytesMin: number;
  /** To connect to a volume server; then 504. */
  readonly upstreamConnectTimeoutMs: number;
  /** Without a byte from the volume server, or a free connection to it: 504, or the answer that has begun is cut. */
  readonly upstreamTimeoutMs: number;
}

/**
 * How long a client that was told of the end may go on sending, or take what the kernel holds of its answer: closed
 * before, the connection would be reset by the client's next byte, and the answer lost.
 */
export const lingerMs = 5_000;
