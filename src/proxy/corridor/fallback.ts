/** The fate of a read that the fast path does not answer: forwarded to the volume server, or an error of our own. */

import type { NeedleOutcome } from '../../needle/needle-outcome.ts';
import type { Reason } from '../../needle/outcome.ts';
import type { StatusName } from '../../rdma/status.ts';
import type { TargetEntry } from '../fleet/target-directory.ts';

export interface FallbackOptions {
  readonly mode: 'prefer' | 'require' | 'off';
  readonly onCorrupt: 'pass' | 'refuse';
}

/** Tells the breaker how a round trip to the target ended: once for each, however many waited for it. */
export function tellBreaker(entry: TargetEntry, status: StatusName): void {
  if (status !== 'ok' && reasonsByStatus[status].isTrouble) entry.breaker.failed(status);
  else entry.breaker.succeeded();
}

/** A read that the target did not answer with a needle. */
export function failed(
  options: FallbackOptions,
  entry: TargetEntry,
  status: Exclude<StatusName, 'ok'>,
): NeedleOutcome {
  const { reason } = reasonsByStatus[status];
  if (reason === 'corrupt' && options.onCorrupt === 'refuse') {
    return { kind: 'error', status: 502, reason };
  }
  return trouble(options, entry, reason);
}

/** `isTrouble`: the fabric's or the target's fault, which the breaker counts; the rest are answers. */
const reasonsByStatus: Readonly<
  Record<Exclude<StatusName, 'ok'>, { readonly reason: Reason; readonly isTrouble: boolean }>
> = {
  not_found: { reason: 'not-found', isTrouble: false },
  deleted: { reason: 'deleted', isTrouble: false },
  cookie_mismatch: { reason: 'cookie', isTrouble: false },
  expired: { reason: 'ttl', isTrouble: false },
  empty: { reason: 'cookie', isTrouble: false },
  corrupt: { reason: 'corrupt', isTrouble: false },
  too_large: { reason: 'too-large', isTrouble: false },
  unsupported_volume: { reason: 'unsupported-volume', isTrouble: false },
  unknown_volume: { reason: 'unknown-volume', isTrouble: false },
  volume_unconfirmed: { reason: 'volume-unconfirmed', isTrouble: false },
  no_slab: { reason: 'no-slab', isTrouble: false },
  deadline: { reason: 'deadline', isTrouble: true },
  overload: { reason: 'overload', isTrouble: false },
  io_error: { reason: 'target-down', isTrouble: true },
  bad_request: { reason: 'target-down', isTrouble: true },
  unsupported_version: { reason: 'target-down', isTrouble: true },
  unauthorized: { reason: 'target-down', isTrouble: true },
  not_connected: { reason: 'target-down', isTrouble: true },
  peer_lost: { reason: 'target-down', isTrouble: true },
  closed: { reason: 'target-down', isTrouble: false },
  protocol_error: { reason: 'target-down', isTrouble: true },
};

/** Passing these would hide that the fabric did not serve: with `mode = "require"` they are errors. */
const forbiddenFallbacks: ReadonlySet<Reason> = new Set([
  'target-down',
  'breaker',
  'deadline',
  'no-slab',
  'overload',
]);

/** Reasons that a silent volume server explains as well. */
const waitsForServer: ReadonlySet<Reason> = new Set([
  'auth-unknown',
  'learn-server',
  'unknown-volume',
  'volume-unconfirmed',
]);

/** Passes the request, or refuses it where passing would hide trouble that must not be hidden. */
export function trouble(
  options: FallbackOptions,
  entry: TargetEntry,
  reason: Reason,
): NeedleOutcome {
  if (entry.facts.upstream.kind === 'down' && waitsForServer.has(reason)) {
    return passTo(entry.upstreamUrl, 'upstream-down');
  }
  if (options.mode !== 'require' || !forbiddenFallbacks.has(reason)) {
    return passTo(entry.upstreamUrl, reason);
  }
  return { kind: 'error', status: reason === 'deadline' ? 504 : 503, reason };
}

export function passTo(upstreamUrl: string, reason: Reason): NeedleOutcome {
  return { kind: 'passthrough', reason, upstreamUrl };
}
