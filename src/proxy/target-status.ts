/** The state of one volume server and its target for /health, /stats and the metrics. */
import type { TargetStatus } from '../admin/status.ts';
import type { TargetEntry } from './fleet/target-directory.ts';

export function targetStatus(entry: TargetEntry): TargetStatus {
  const { upstreamUrl, fetcher, facts, breaker } = entry;
  const volumes = [...(fetcher?.volumes.values() ?? [])];
  return {
    address: fetcher?.address ?? '',
    upstreamUrl,
    state: fetcher?.state,
    breaker: breaker.state,
    breakerOpens: breaker.opens,
    hedged: fetcher && entry.hedging?.counts,
    counted: fetcher?.counts,
    rails: fetcher?.rails,
    volumes: volumes.length,
    volumesConfirmed: volumes.filter(({ confirmed }) => confirmed).length,
    server: facts.server,
    auth: facts.auth,
    isUpstreamUp: facts.upstream.kind === 'up',
    upstream: facts.upstream,
  };
}
