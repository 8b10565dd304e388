/** What becomes of a request when too much is in hand already; undefined: nothing, it is served. */
import type { NeedleOutcome, NeedleRoute } from '../needle-outcome.ts';
import type { FrontCounters, FrontLimits } from './limits.ts';

export interface Load {
  readonly limits: FrontLimits;
  readonly counters: Readonly<FrontCounters>;
  readonly route: NeedleRoute;
}

export function overload(
  target: string,
  { limits, counters, route }: Load,
): NeedleOutcome | undefined {
  if (counters.requestsInFlight > limits.requestsInFlight * 2) {
    return { kind: 'error', status: 503, reason: 'overload' };
  }
  const tooMany = counters.requestsInFlight > limits.requestsInFlight;
  if (!tooMany && counters.bytesInFlight <= limits.bytesInFlight) return undefined;
  return { kind: 'passthrough', reason: 'overload', upstreamUrl: route.upstreamFor(target) };
}
