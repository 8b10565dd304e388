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
    help: 'Look-ups that found a needle which may be served.',
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
    help: 'Look-ups that found nothing, or what had changed meanwhile.',
    labels: [],
  },
  cacheNeedles: {
    name: 'seaweed_rdma_cache_needles',
    type: 'gauge',
    help: 'Needles in the cache, and how many of them decoded too.',
    labels: ['form'],
  },
  cacheBytes: {
    name: 'seaweed_rdma_cache_bytes',
    type: 'gauge',
    help: 'What the cache holds: slabs of the arena with their prepared heads, and decoded forms on the heap.',
    labels: ['form'],
  },
  decodingBytes: {
    name: 'seaweed_rdma_decoding_bytes',
    type: 'gauge',
    help: 'Decoded forms that are being made or sent; limits.decoding_bytes is the most.',
    labels: [],
  },
  decodingRefusals: {
    name: 'seaweed_rdma_decoding_refused_total',
    type: 'counter',
    help: 'Decodes that were not begun, as others had all of limits.decoding_bytes.',
    labels: [],
  },
  cacheBytesMax: {
    name: 'seaweed_rdma_cache_size_bytes',
    type: 'gauge',
    help: 'What it may hold of the arena; 0 means that there is no cache.',
    labels: [],
  },
  cacheEvictions: {
    name: 'seaweed_rdma_cache_evictions_total',
    type: 'counter',
    help: 'Needles that left the cache, by why.',
    labels: ['reason'],
  },
  cacheRefusals: {
    name: 'seaweed_rdma_cache_refusals_total',
    type: 'counter',
    help: 'Needles that were not let in, since what would have had to go is asked for more.',
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
    help: 'Validations asked of targets.',
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
    help: 'How long a hit waited for its validation, by what that said.',
    labels: ['result'],
    buckets: waitBuckets,
  },
};
