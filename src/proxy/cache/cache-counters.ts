import type { CacheCounters } from './cache-status.ts';
import { type EvictionReason, evictionReasons } from './needle-store.ts';

/** Events since the start; metrics are read from here at scrape time. */
export function newCacheCounters(): CacheCounters {
  const evictions = evictionReasons.map((reason) => [reason, 0]);
  return {
    hits: 0,
    misses: 0,
    hitBytes: 0,
    validatedHits: 0,
    validations: 0,
    validationsFailed: 0,
    joins: 0,
    evictions: Object.fromEntries(evictions) as Record<EvictionReason, number>,
  };
}
