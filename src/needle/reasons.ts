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
  'unsupported-server',
  'no-slab',
  'slow-reader',
  'deadline',
  'hedged',
  'target-down',
  'breaker',
  'upstream-down',
  'off',
  'overload',
  'raw',
] as const;

export type Reason = (typeof reasons)[number];

/** Something failed (docs/reasons.md: trouble); what passes for any other reason does so for its meaning. */
export const troubleReasons: ReadonlySet<Reason | ''> = new Set<Reason>([
  'no-slab',
  'slow-reader',
  'deadline',
  'hedged',
  'target-down',
  'breaker',
  'upstream-down',
  'overload',
]);
