/** The actions that the admin API may take on a proxy. No logic. */
import type { ProxyActions } from '../admin/admin-options.ts';
import type { TrafficWatch } from '../admin/traffic/traffic-watch.ts';
import type { NeedleCache } from './cache/needle-cache.ts';
import type { HttpFront } from './front/server.ts';

/** `front`: undefined before it listens. */
export function proxyActions(
  cache: NeedleCache,
  traffic: TrafficWatch,
  front: () => HttpFront | undefined,
): ProxyActions {
  return {
    cacheStats: () => cache.stats(),
    cachedNeedles: (countMax) => cache.list(countMax),
    evict: (choice) => cache.evict(choice),
    traffic,
    connect: () => front()?.connect(),
  };
}
