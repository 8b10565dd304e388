/** What became of one request: the unit of the traffic accounting (DESIGN, law 4). */

/**
 * Why a request was passed to the volume server, or why it ended in an error. One closed table; docs/reasons.md
 * explains each, and a test compares the two.
 */
export const reasons = [
  'method',
  'path',
  'query',
  'headers',
  'body',
  'image',
  'manifest',
  'not-found',
  'deleted',
  'cookie',
  'ttl',
  'corrupt',
  'too-large',
  'unsupported-volume',
  'unknown-volume',
  'volume-unconfirmed',
  'auth',
  'auth-unknown',
  'learn-server',
  'learn-type',
  'no-slab',
  'slow-reader',
  'deadline',
  'target-down',
  'breaker',
  'off',
  'overload',
  'raw',
] as const;

export type Reason = (typeof reasons)[number];

/** One finished request. `reason` is '' for cache and rdma; `transport` is 'none' where no target answered. */
export interface RequestRecord {
  readonly outcome: 'cache' | 'rdma' | 'passthrough' | 'error';
  readonly reason: Reason | '';
  readonly transport: string;
  readonly durationMs: number;
  /** Body bytes sent to the client. */
  readonly bodyBytes: number;
}

/** Receives every finished request exactly once. */
export type RequestObserver = (record: RequestRecord) => void;
