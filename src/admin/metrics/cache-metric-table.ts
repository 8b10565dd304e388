/** The metrics of the hot-needle cache: part of metric-table.ts. */
import type { MetricRow } from './metric-row.ts';

/** From a shared-memory round trip to rdma.timeout. */
const waitBuckets: readonly number[] = [
  0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1,
  2,
];

export type CacheMetricName =
  | 'cacheHits'
  | 'cacheHitBytes'
  | 'cacheMisses'
  | 'cacheNeedles'
  | 'cacheBytes'
  | 'decodingBytes'
  | 'decodingRefusals'
  | 'cacheBytesMax'
  | 'cacheEvictions'
  | 'cacheRefusals'
  | 'cacheJoins'
  | 'cacheValidations'
  | 'cacheValidatedHits'
  | 'cacheValidationWait';

export const cacheMetricTable: Readonly<Record<CacheMetricName, MetricRow>> = {
  cacheHits: {
    name: 'seaweed_rdma_cache_hits_total',
    type: 'counter',
    help: 'Look-ups that found a needle that may be served.',
    labels: [],
  },
  cacheHitBytes: {
    name: 'seaweed_rdma_cache_hit_bytes_total',
    type: 'counter',
    help: 'Stored bytes of the needles that were hit.',
    labels: [],
  },
  cacheMisses: {
    name: 'seaweed_rdma_cache_misses_total',
    type: 'counter',
    help: 'Look-ups that found no needle, or one that had changed meanwhile.',
    labels: [],
  },
  cacheNeedles: {
    name: 'seaweed_rdma_cache_needles',
    type: 'gauge',
    help: 'Needles in the cache: stored, and of these also decoded.',
    labels: ['form'],
  },
  cacheBytes: {
    name: 'seaweed_rdma_cache_bytes',
    type: 'gauge',
    help: 'Bytes that the cache holds: slabs of the arena with their prepared heads, and decoded forms on the heap.',
    labels: ['form'],
  },
  decodingBytes: {
    name: 'seaweed_rdma_decoding_bytes',
    type: 'gauge',
    help: 'Bytes of decoded forms that are being made or sent, at most limits.decoding_bytes.',
    labels: [],
  },
  decodingRefusals: {
    name: 'seaweed_rdma_decoding_refused_total',
    type: 'counter',
    help: 'Decodes that were refused because others used all of limits.decoding_bytes.',
    labels: [],
  },
  cacheBytesMax: {
    name: 'seaweed_rdma_cache_size_bytes',
    type: 'gauge',
    help: 'Bytes of the arena that the cache may hold; 0: there is no cache.',
    labels: [],
  },
  cacheEvictions: {
    name: 'seaweed_rdma_cache_evictions_total',
    type: 'counter',
    help: 'Needles that left the cache, by reason.',
    labels: ['reason'],
  },
  cacheRefusals: {
    name: 'seaweed_rdma_cache_refusals_total',
    type: 'counter',
    help: 'Needles that the cache refused because those that would have had to go are asked for more.',
    labels: [],
  },
  cacheJoins: {
    name: 'seaweed_rdma_cache_joins_total',
    type: 'counter',
    help: "Requests that waited for another one's read of the same needle.",
    labels: [],
  },
  cacheValidations: {
    name: 'seaweed_rdma_cache_validations_total',
    type: 'counter',
    help: 'Validations that the proxy asked targets for.',
    labels: ['result'],
  },
  cacheValidatedHits: {
    name: 'seaweed_rdma_cache_validated_hits_total',
    type: 'counter',
    help: 'Hits that waited for a validation; divided by the validations: hits per validation.',
    labels: [],
  },
  cacheValidationWait: {
    name: 'seaweed_rdma_cache_validation_wait_seconds',
    type: 'histogram',
    help: 'Time that a hit waited for its validation, by verdict.',
    labels: ['result'],
    buckets: waitBuckets,
  },
};
