/** The proxy's metrics: plain numbers while requests run, handed to prom-client at each scrape. */
import type { RequestObserver } from '../../needle/outcome.ts';
import type { ProxyStatus } from '../status.ts';
import { type CacheMetrics, cacheMetrics } from './cache-metrics.ts';
import { proxyGauges } from './gauges.ts';
import { type Exposition, MetricSet, MirroredCounter } from './metric-set.ts';
import { type ProxyMetricName, proxyMetricTable } from './metric-table.ts';
import { RequestLedger, type RequestTotals } from './request-ledger.ts';
import { type SidecarMetrics, sidecarMetrics } from './sidecar-metrics.ts';
import { trafficMetrics } from './traffic-metrics.ts';

/** One finished read of a target. */
export interface OperationRecord {
  /** The fabric and the target worked: an answer that names a state of the needle or volume is one too. */
  readonly isSuccess: boolean;
  readonly durationMs: number;
  readonly bytesReceived: number;
}

export interface ProxyMetrics {
  /** One call per finished request: the exact traffic accounting. */
  readonly observe: RequestObserver;
  /** One call per read that a target was asked for. */
  readonly readFinished: (record: OperationRecord) => void;
  /** One call per hit that waited for a VALIDATE. */
  readonly validationWaited: CacheMetrics['validationWaited'];
  /** One call per finished request to the sidecar. */
  readonly observeSidecar: SidecarMetrics['observe'];
  /** Where gauges take their values; before it is called they are absent. */
  watch(status: () => ProxyStatus): void;
  /** Requests so far, for /health and /stats. */
  totals(): RequestTotals;
  expose(): Promise<Exposition>;
}

export function createProxyMetrics(version: string): ProxyMetrics {
  const set = new MetricSet<ProxyMetricName>(proxyMetricTable);
  set.gauge('buildInfo').set({ version, node: process.version, role: 'proxy' }, 1);
  const ledger = new RequestLedger();
  const refreshGauges = proxyGauges(set);
  const refreshRequests = requestCounters(set, ledger);
  const operations = operationCounters(set);
  const cache = cacheMetrics(set);
  const sidecar = sidecarMetrics(set);
  const refreshTraffic = trafficMetrics(set);
  let status: (() => ProxyStatus) | undefined;
  set.onScrape(() => {
    refreshRequests();
    operations.refresh();
    const seen = status?.();
    if (seen === undefined) return;
    refreshGauges(seen);
    refreshTraffic(seen);
    cache.refresh(seen.cache);
    sidecar.refresh(seen.sidecar);
  });
  return {
    observe: requestObserver(set, ledger),
    readFinished: operations.finished,
    validationWaited: cache.validationWaited,
    observeSidecar: sidecar.observe,
    watch(newStatus) {
      status = newStatus;
    },
    totals: () => ledger.totals(),
    expose: () => set.expose(),
  };
}

function requestObserver(set: MetricSet<ProxyMetricName>, ledger: RequestLedger): RequestObserver {
  const histogram = set.histogram('requestDuration');
  const durations = {
    cache: histogram.series('cache'),
    rdma: histogram.series('rdma'),
    passthrough: histogram.series('passthrough'),
    error: histogram.series('error'),
  };
  return (record) => {
    ledger.observe(record);
    durations[record.outcome].observe(record.durationMs / 1000);
  };
}

function requestCounters(set: MetricSet<ProxyMetricName>, ledger: RequestLedger): () => void {
  const requests = new MirroredCounter(set.counter('requests'));
  const bytes = new MirroredCounter(set.counter('responseBytes'));
  return () => {
    for (const { outcome, reason, transport, count } of ledger.series) {
      requests.set(count, { outcome, reason, transport });
    }
    for (const [outcome, total] of Object.entries(ledger.bodyBytes)) bytes.set(total, { outcome });
  };
}

function operationCounters(set: MetricSet<ProxyMetricName>): {
  finished: (record: OperationRecord) => void;
  refresh: () => void;
} {
  const operations = new MirroredCounter(set.counter('operations'));
  const bytes = new MirroredCounter(set.counter('bytesTransferred'));
  const duration = set.histogram('operationDuration').series('read');
  let successes = 0;
  let errors = 0;
  let received = 0;
  return {
    finished({ isSuccess, durationMs, bytesReceived }) {
      if (isSuccess) successes += 1;
      else errors += 1;
      received += bytesReceived;
      duration.observe(durationMs / 1000);
    },
    refresh() {
      operations.set(successes, { type: 'read', result: 'success' });
      operations.set(errors, { type: 'read', result: 'error' });
      bytes.set(received, { direction: 'rx' });
      // A proxy sends no payload; the series exists all the same.
      bytes.set(0, { direction: 'tx' });
    },
  };
}
