/** The state of one volume server and its target for /health, /stats and the metrics. */
import type { TargetStatus } from '../admin/status.ts';
import type { TargetEntry } from './fleet/target-directory.ts';

export function targetStatus({ upstreamUrl, fetcher, facts, breaker }: TargetEntry): TargetStatus {
  const volumes = [...(fetcher?.volumes.values() ?? [])];
  return {
    address: fetcher?.address ?? '',
    upstreamUrl,
    state: fetcher?.state,
    breaker: breaker.state,
    breakerOpens: breaker.opens,
    counted: fetcher?.counts,
    volumes: volumes.length,
    volumesConfirmed: volumes.filter(({ confirmed }) => confirmed).length,
    server: facts.server,
    auth: facts.auth,
    isUpstreamUp: facts.upstream.kind === 'up',
    upstream: facts.upstream,
  };
}
