import type { EvictionReason } from './needle-store.ts';

/** Events since the start; metrics are read from here at scrape time. */
export class CacheCounters {
  hits = 0;
  misses = 0;
  /** Stored bytes of the needles that were hit. */
  hitBytes = 0;
  /** Hits that waited for a VALIDATE. */
  validatedHits = 0;
  validations = 0;
  validationsFailed = 0;
  /** Requests that waited for another one's READ. */
  joins = 0;
  readonly evictions: Record<EvictionReason, number> = {
    space: 0,
    changed: 0,
    written: 0,
    expired: 0,
    gone: 0,
    pressure: 0,
    operator: 0,
    replaced: 0,
    closed: 0,
  };
}

export interface CacheStats extends Readonly<CacheCounters> {
  readonly needles: number;
  /** Bytes that the cached needles hold in the arena, and their prepared heads on the heap. */
  readonly bytes: number;
  readonly bytesMax: number;
  readonly decodedBytes: number;
  readonly decodedForms: number;
  /** Bytes of decoded forms that are being made or sent. */
  readonly decodingBytes: number;
  /** Decodes that were not begun, for want of room. */
  readonly decodingRefusals: number;
  readonly refusals: number;
}
