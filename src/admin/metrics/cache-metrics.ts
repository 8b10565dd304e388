/** The cache's own counters, brought to prom-client at scrape time. */
import type { CacheStats } from '../../proxy/cache/cache-counters.ts';
import type { Validation } from '../../proxy/cache/group-validation.ts';
import { type MetricSet, MirroredCounter } from './metric-set.ts';
import type { ProxyMetricName } from './metric-table.ts';

export interface CacheMetrics {
  /** One call per hit that waited for a VALIDATE. */
  readonly validationWaited: (waitedMs: number, said: Validation['kind']) => void;
  readonly refresh: (stats: CacheStats) => void;
}

export function cacheMetrics(set: MetricSet<ProxyMetricName>): CacheMetrics {
  const wait = set.histogram('cacheValidationWait');
  const waits = {
    checked: wait.series('checked'),
    gone: wait.series('gone'),
    unconfirmed: wait.series('unconfirmed'),
    failed: wait.series('failed'),
  };
  const counters = {
    hits: new MirroredCounter(set.counter('cacheHits')),
    hitBytes: new MirroredCounter(set.counter('cacheHitBytes')),
    misses: new MirroredCounter(set.counter('cacheMisses')),
    refusals: new MirroredCounter(set.counter('cacheRefusals')),
    decodingRefusals: new MirroredCounter(set.counter('decodingRefusals')),
    joins: new MirroredCounter(set.counter('cacheJoins')),
    validatedHits: new MirroredCounter(set.counter('cacheValidatedHits')),
  };
  const evictions = new MirroredCounter(set.counter('cacheEvictions'));
  const validations = new MirroredCounter(set.counter('cacheValidations'));
  const needles = set.gauge('cacheNeedles');
  const bytes = set.gauge('cacheBytes');
  const bytesMax = set.gauge('cacheBytesMax');
  const decodingBytes = set.gauge('decodingBytes');
  return {
    validationWaited: (waitedMs, said) => waits[said].observe(waitedMs / 1000),
    refresh(stats) {
      counters.hits.set(stats.hits);
      counters.hitBytes.set(stats.hitBytes);
      counters.misses.set(stats.misses);
      counters.refusals.set(stats.refusals);
      counters.decodingRefusals.set(stats.decodingRefusals);
      counters.joins.set(stats.joins);
      counters.validatedHits.set(stats.validatedHits);
      for (const [reason, count] of Object.entries(stats.evictions))
        evictions.set(count, { reason });
      validations.set(stats.validations - stats.validationsFailed, { result: 'answered' });
      validations.set(stats.validationsFailed, { result: 'failed' });
      needles.set({ form: 'stored' }, stats.needles);
      needles.set({ form: 'decoded' }, stats.decodedForms);
      bytes.set({ form: 'stored' }, stats.bytes);
      bytes.set({ form: 'decoded' }, stats.decodedBytes);
      bytesMax.set(stats.bytesMax);
      decodingBytes.set(stats.decodingBytes);
    },
  };
}
