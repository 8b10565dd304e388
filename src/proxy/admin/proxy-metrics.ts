/** The proxy's metrics: counts what finished, asks for the rest when it is scraped. */
import type { Counter } from 'prom-client';
import { type RequestObserver, reasons } from '../outcome.ts';
import { proxyGauges } from './gauges.ts';
import { MetricSet } from './metric-set.ts';
import { type ProxyMetricName, proxyMetricTable } from './metric-table.ts';
import { RequestTally, type RequestTotals } from './request-tally.ts';
import type { ProxyStatus } from './status.ts';

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
  /** Where gauges take their values; before it is called they are absent. */
  watch(status: () => ProxyStatus): void;
  /** Requests so far, for /health and /stats. */
  totals(): RequestTotals;
  expose(): Promise<{ readonly type: string; readonly text: string }>;
}

export function createProxyMetrics(version: string): ProxyMetrics {
  const set = new MetricSet<ProxyMetricName>(proxyMetricTable);
  set.gauge('buildInfo').set({ version, node: process.version, role: 'proxy' }, 1);
  const refresh = proxyGauges(set);
  const tally = new RequestTally();
  return {
    observe: requestObserver(set, tally),
    readFinished: operationObserver(set),
    watch(status) {
      set.onScrape(() => {
        refresh(status());
      });
    },
    totals: () => tally.totals(),
    expose: () => set.expose(),
  };
}

/** Label lookups hash their labels each time: the handles are kept instead. */
function requestObserver(set: MetricSet<ProxyMetricName>, tally: RequestTally): RequestObserver {
  const requests = set.counter('requests');
  const duration = set.histogram('requestDuration');
  const bytes = set.counter('responseBytes');
  const series = new Map<string, Counter.Internal>();
  const perOutcome = {
    cache: { duration: duration.labels('cache'), bytes: bytes.labels('cache') },
    rdma: { duration: duration.labels('rdma'), bytes: bytes.labels('rdma') },
    passthrough: { duration: duration.labels('passthrough'), bytes: bytes.labels('passthrough') },
    error: { duration: duration.labels('error'), bytes: bytes.labels('error') },
  } as const;
  // An alert on a reason needs the series before its first request.
  for (const reason of reasons)
    requests.inc({ outcome: 'passthrough', reason, transport: 'none' }, 0);

  return (record) => {
    const { outcome, reason, transport } = record;
    const key = `${outcome}|${reason}|${transport}`;
    let counter = series.get(key);
    if (counter === undefined) {
      counter = requests.labels(outcome, reason, transport);
      series.set(key, counter);
    }
    counter.inc();
    const handles = perOutcome[outcome];
    handles.duration.observe(record.durationMs / 1000);
    if (record.bodyBytes > 0) handles.bytes.inc(record.bodyBytes);
    tally.add(record);
  };
}

function operationObserver(set: MetricSet<ProxyMetricName>): (record: OperationRecord) => void {
  const operations = set.counter('operations');
  const success = operations.labels('read', 'success');
  const error = operations.labels('read', 'error');
  const duration = set.histogram('operationDuration').labels('read');
  const bytes = set.counter('bytesTransferred');
  const received = bytes.labels('rx');
  // A proxy sends no payload; the series exists all the same.
  for (const handle of [success, error, received, bytes.labels('tx')]) handle.inc(0);
  return (record) => {
    (record.isSuccess ? success : error).inc();
    duration.observe(record.durationMs / 1000);
    if (record.bytesReceived > 0) received.inc(record.bytesReceived);
  };
}
