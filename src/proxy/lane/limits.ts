/** What the front allows, and what happens at each limit. */
export interface FrontLimits {
  /** Over this a new connection is answered 503 and closed. */
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
}

/** Counted across all connections of one front. */
export interface FrontCounters {
  connections: number;
  requestsInFlight: number;
  /** Of the needles being sent. */
  bytesInFlight: number;
  /** Copied for slow clients, not sent yet. */
  bytesCopied: number;
}
