/** What the admin API may do to a proxy. No logic. */
import type { ProxyActions } from './admin/admin-options.ts';
import type { FallbackRing } from './admin/fallback-ring.ts';
import type { NeedleCache } from './cache/needle-cache.ts';
import type { RequestObserver } from './outcome.ts';
import type { HttpFront } from './server.ts';

/** `front`: undefined before it listens. */
export function proxyActions(
  cache: NeedleCache,
  ring: FallbackRing,
  front: () => HttpFront | undefined,
): ProxyActions {
  return {
    cacheStats: () => cache.stats(),
    cachedNeedles: (countMax) => cache.list(countMax),
    evict: (choice) => cache.evict(choice),
    fallbacks: (countMax) => ring.latest(countMax),
    connect: () => front()?.connect(),
  };
}

/** Counts every request, and keeps those worth a line; one that was answered here costs a comparison. */
export function withFallbacks(observe: RequestObserver, ring: FallbackRing): RequestObserver {
  return (record) => {
    observe(record);
    if (record.reason !== '') ring.observe(record);
  };
}
