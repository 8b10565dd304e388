/** Decides about a request when too much is in hand already; undefined: the corridor decides. */
import type { RequestHead } from '../../http1/request-head.ts';
import type { NeedleOutcome, NeedleRoute } from '../../needle/needle-outcome.ts';
import type { FrontCounters } from './front-counters.ts';
import type { FrontLimits } from './limits.ts';

export interface Load {
  readonly limits: FrontLimits;
  readonly counters: Readonly<FrontCounters>;
  readonly route: NeedleRoute;
}

export function overload(
  { method, target }: RequestHead,
  { limits, counters, route }: Load,
): NeedleOutcome | undefined {
  if (counters.requestsInFlight > limits.requestsInFlight * 2) {
    return { kind: 'error', status: 503, reason: 'overload' };
  }
  // Requests that are no reads are forwarded in any case, and the corridor must see them.
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  const tooMany = counters.requestsInFlight > limits.requestsInFlight;
  const bytesInFlight = counters.bytesInFlight + (route.decodingBytes ?? 0);
  if (!tooMany && bytesInFlight <= limits.bytesInFlight) return undefined;
  return { kind: 'passthrough', reason: 'overload', upstreamUrl: route.upstreamFor(target) };
}
