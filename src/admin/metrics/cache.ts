/** The metrics of the hot-needle cache. */
import type { CacheStats } from '../../proxy/cache/cache-status.ts';
import { type Validation, validationKinds } from '../../proxy/cache/group-validation.ts';
import type { HistogramRow, ReadRow } from './metric-row.ts';

export const cacheRows: readonly ReadRow<{ readonly cache: CacheStats }>[] = [
  {
    name: 'seaweed_rdma_cache_hits_total',
    type: 'counter',
    help: 'Look-ups that found a needle that may be served.',
    labels: [],
    read: ({ cache }) => cache.hits,
  },
  {
    name: 'seaweed_rdma_cache_hit_bytes_total',
    type: 'counter',
    help: 'Stored bytes of the needles that were hit.',
    labels: [],
    read: ({ cache }) => cache.hitBytes,
  },
  {
    name: 'seaweed_rdma_cache_misses_total',
    type: 'counter',
    help: 'Look-ups that found no needle, or one that had changed meanwhile.',
    labels: [],
    read: ({ cache }) => cache.misses,
  },
  {
    name: 'seaweed_rdma_cache_needles',
    type: 'gauge',
    help: 'Needles in the cache: stored, and of these also decoded.',
    labels: ['form'],
    read: ({ cache }) => [
      [cache.needles, 'stored'],
      [cache.decodedForms, 'decoded'],
    ],
  },
  {
    name: 'seaweed_rdma_cache_bytes',
    type: 'gauge',
    help: 'Bytes that the cache holds: stored needles with their prepared heads, and decoded forms on the heap.',
    labels: ['form'],
    read: ({ cache }) => [
      [cache.bytes, 'stored'],
      [cache.decodedBytes, 'decoded'],
    ],
  },
  {
    name: 'seaweed_rdma_decoding_bytes',
    type: 'gauge',
    help: 'Bytes of decoded forms that are being made or sent, at most limits.decoding_bytes.',
    labels: [],
    read: ({ cache }) => cache.decodingBytes,
  },
  {
    name: 'seaweed_rdma_decoding_refused_total',
    type: 'counter',
    help: 'Decodes that were refused because others used all of limits.decoding_bytes.',
    labels: [],
    read: ({ cache }) => cache.decodingRefusals,
  },
  {
    name: 'seaweed_rdma_cache_slabs',
    type: 'gauge',
    help: "Pieces of the cache's memory that are out: one for each needle, and for each that left and is still being sent.",
    labels: [],
    read: ({ cache }) => cache.slabs,
  },
  {
    name: 'seaweed_rdma_cache_size_bytes',
    type: 'gauge',
    help: 'Bytes that the cache may hold; 0: there is no cache.',
    labels: [],
    read: ({ cache }) => cache.bytesMax,
  },
  {
    name: 'seaweed_rdma_cache_evictions_total',
    type: 'counter',
    help: 'Needles that left the cache, by reason.',
    labels: ['reason'],
    read: ({ cache }) => Object.entries(cache.evictions).map(([reason, count]) => [count, reason]),
  },
  {
    name: 'seaweed_rdma_cache_refusals_total',
    type: 'counter',
    help: 'Needles that the cache refused because those that would have had to go are asked for more.',
    labels: [],
    read: ({ cache }) => cache.refusals,
  },
  {
    name: 'seaweed_rdma_cache_joins_total',
    type: 'counter',
    help: "Requests that waited for another one's read of the same needle.",
    labels: [],
    read: ({ cache }) => cache.joins,
  },
  {
    name: 'seaweed_rdma_cache_validations_total',
    type: 'counter',
    help: 'Validations that the proxy asked targets for.',
    labels: ['result'],
    read: ({ cache }) => [
      [cache.validations - cache.validationsFailed, 'answered'],
      [cache.validationsFailed, 'failed'],
    ],
  },
  {
    name: 'seaweed_rdma_cache_validated_hits_total',
    type: 'counter',
    help: 'Hits that waited for a validation; divided by the validations: hits per validation.',
    labels: [],
    read: ({ cache }) => cache.validatedHits,
  },
];

/** The bounds go from a shared-memory round trip to rdma.timeout. */
export const validationWait: HistogramRow<Validation['kind']> = {
  name: 'seaweed_rdma_cache_validation_wait_seconds',
  type: 'histogram',
  help: 'Time that a hit waited for its validation, by verdict.',
  labels: ['result'],
  labelValues: validationKinds,
  buckets: [
    0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1,
    2,
  ],
};
