/** The fate of a read that the fast path does not answer: forwarded to the volume server, or an error of our own. */

import type { NeedleOutcome } from '../../needle/needle-outcome.ts';
import type { Reason } from '../../needle/reasons.ts';
import type { StatusName } from '../../rdma/status.ts';
import type { TargetEntry } from '../fleet/target-directory.ts';

export interface FallbackOptions {
  readonly mode: 'prefer' | 'require' | 'off';
  readonly onCorrupt: 'pass' | 'refuse';
}

/** A read that the target did not answer with a needle. */
export function failed(
  options: FallbackOptions,
  entry: TargetEntry,
  status: Exclude<StatusName, 'ok'>,
): NeedleOutcome {
  const reason = reasonsByStatus[status];
  if (reason === 'corrupt' && options.onCorrupt === 'refuse') {
    return { kind: 'error', status: 502, reason };
  }
  return trouble(options, entry, reason);
}

const reasonsByStatus: Readonly<Record<Exclude<StatusName, 'ok'>, Reason>> = {
  not_found: 'not-found',
  deleted: 'deleted',
  cookie_mismatch: 'cookie',
  expired: 'ttl',
  empty: 'cookie',
  corrupt: 'corrupt',
  too_large: 'too-large',
  unsupported_volume: 'unsupported-volume',
  unknown_volume: 'unknown-volume',
  volume_unconfirmed: 'volume-unconfirmed',
  no_slab: 'no-slab',
  deadline: 'deadline',
  overload: 'overload',
  io_error: 'target-down',
  bad_request: 'target-down',
  unsupported_version: 'target-down',
  unauthorized: 'target-down',
  not_connected: 'target-down',
  peer_lost: 'target-down',
  closed: 'target-down',
  protocol_error: 'target-down',
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
