/** How requests to the sidecar are told apart in its counters. */

export const sidecarPaths = [
  'read',
  'rdma_read',
  'cleanup',
  'health',
  'stats',
  'ping',
  'capabilities',
  'benchmark',
  'other',
] as const;

export type SidecarPath = (typeof sidecarPaths)[number];

/** Who gave the bytes of a needle. */
export const needleSources = ['cache', 'rdma', 'http'] as const;

/**
 * cache, rdma, http: bytes of a needle, by who gave them; declined: bytes that the mount is told to read itself; ok:
 * another answer; refused: the request's fault (4xx); error: not (5xx); aborted: the client went away first.
 */
export const sidecarOutcomes = [
  'cache',
  'rdma',
  'http',
  'declined',
  'ok',
  'refused',
  'error',
  'aborted',
] as const;

export type SidecarOutcome = (typeof sidecarOutcomes)[number];
